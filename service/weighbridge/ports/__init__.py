"""What the engine needs of others, as protocols, and the names of jobs."""
