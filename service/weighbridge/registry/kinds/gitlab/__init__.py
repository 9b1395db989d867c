"""GitLab's container registry: its registry beside the API of GitLab itself."""
