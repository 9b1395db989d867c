"""Which addresses may be reached."""
