"""Tables, CSV, JSON, Markdown, and what a screen can show."""
