"""A strict Artifact Registry on loopback: it refuses what the real one would refuse.

state     who may see what, and what was asked
answers   what the registry, its token service and its storage answer to a request
api       what the API answers
serving   the three hosts on ports of their own, and a configuration that crawls them
kept      what a crawl has kept
"""
