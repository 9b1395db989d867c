"""One image, weighed or checked straight from its registry."""
