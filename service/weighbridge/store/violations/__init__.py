"""Episodes of limits that are exceeded, their causes, and what was accepted."""
