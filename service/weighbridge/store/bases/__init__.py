"""What images stand on, as it is stored."""
