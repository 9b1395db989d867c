"""What is pulled: how often, how many bytes that moves, and what it costs."""
