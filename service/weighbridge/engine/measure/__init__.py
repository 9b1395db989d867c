"""What layers weigh, by the registry's word."""
