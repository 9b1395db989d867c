"""Notifications, from the transaction that wrote them to their delivery."""
