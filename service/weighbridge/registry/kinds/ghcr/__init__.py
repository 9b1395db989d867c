"""GitHub's container registry, also of GitHub Enterprise."""
