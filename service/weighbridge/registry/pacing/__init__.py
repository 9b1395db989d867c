"""How fast a registry is asked."""
