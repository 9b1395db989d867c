"""The HTTP server: listeners, and what is refused before an app sees it."""
