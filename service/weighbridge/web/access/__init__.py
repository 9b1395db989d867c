"""Who may ask, and what."""
