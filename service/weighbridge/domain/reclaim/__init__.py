"""What could be deleted of a repository, and what that would free."""
