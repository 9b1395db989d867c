"""From the inbox of webhooks to a verdict."""
