"""The inbox of webhooks: how pushes come in and are taken."""
