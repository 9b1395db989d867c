"""What images stand on: finding it out, and telling of it."""
