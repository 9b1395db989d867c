"""What is marked deleted, and when that is believed."""
