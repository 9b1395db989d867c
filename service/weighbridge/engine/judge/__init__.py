"""Policies held against images: violations opened, carried on, ended."""
