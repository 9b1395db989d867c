"""What people are notified of, by which route, and what is gathered."""
