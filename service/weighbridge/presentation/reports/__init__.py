"""Reports as commands print them."""
