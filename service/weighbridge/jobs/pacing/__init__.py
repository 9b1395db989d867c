"""The pace of a registry that several processes share by Redis."""
