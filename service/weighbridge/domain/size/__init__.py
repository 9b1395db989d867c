"""How many bytes an image has, and how sure that is."""
