"""Google's registries: Artifact Registry, and Container Registry's hosts before it."""
