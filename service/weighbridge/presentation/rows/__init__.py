"""Rows as JSON objects: the keys of API, CSV and lists."""
