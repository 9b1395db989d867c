"""Policies: their keys, their files, and reading them again."""
