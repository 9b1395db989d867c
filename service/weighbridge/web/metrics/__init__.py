"""`/metrics`, the inventory's series, and `/probe`."""
