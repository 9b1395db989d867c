"""One reference weighed without a database."""
