"""Crawls of repositories: what is due or asked for, begun, shared, ended."""
