"""What an image is compared with, and why it weighs more."""
