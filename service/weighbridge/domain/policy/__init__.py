"""Limits: whose they are, what they say of an image, waivers, simulation."""
