"""Types of single values, and what values say together."""
