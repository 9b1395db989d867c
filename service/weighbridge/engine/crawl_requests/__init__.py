"""Crawls that somebody asked for."""
