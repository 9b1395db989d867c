"""Weighbridge weighs container images at the registry, without pulling them."""

__version__ = "0.1.0"
