"""Builders of the Grafana dashboards: plain dicts, nothing but the standard library."""
