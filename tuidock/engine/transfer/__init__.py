"""Pull and push: what moves between a registry and the store."""
