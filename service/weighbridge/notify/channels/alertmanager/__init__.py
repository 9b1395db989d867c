"""Alertmanager: all that is open, sent again and again."""
