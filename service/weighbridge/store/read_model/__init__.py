"""A row for each repository, with its newest image: what lists and series are read
from.
"""
