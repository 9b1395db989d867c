"""What a command does with the parts of `bootstrap` and prints, loaded as it runs."""
