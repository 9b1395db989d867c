"""Which registries, repositories and storage scopes there are."""
