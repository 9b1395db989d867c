"""A gate's answer for one image."""
