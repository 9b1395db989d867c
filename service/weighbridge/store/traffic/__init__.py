"""Writes what registries tell of pulls, and what is stored from day to day."""
