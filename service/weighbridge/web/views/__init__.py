"""What pages show: values in, view models and HTML out; no database, no request."""
