"""Apprise: any of its services."""
