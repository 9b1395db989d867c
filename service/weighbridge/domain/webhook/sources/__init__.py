"""The senders of webhooks, and the table of them."""
