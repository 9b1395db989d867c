"""The demo registry over HTTP."""
