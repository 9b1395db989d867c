"""What the lines of an image show that could be left out of it."""
