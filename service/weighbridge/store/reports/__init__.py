"""What is known, as rows for API, pages, metrics and tables: reading only."""
