"""The screens: the main one with its four panes, and what opens over it."""
