"""Connections through an HTTP proxy."""
