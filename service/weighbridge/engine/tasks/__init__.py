"""Tasks side by side in one process, and the leases that keep their work ours."""
