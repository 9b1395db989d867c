"""Messages to channels."""
