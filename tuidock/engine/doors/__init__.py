"""The methods of Engine, by noun; each resolves, asks the rooms in order, and imports what it needs itself."""
