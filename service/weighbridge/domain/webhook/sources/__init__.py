"""One file for each sender of webhooks, and the table of them."""
