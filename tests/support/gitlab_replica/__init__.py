"""A strict GitLab on loopback: it refuses what the real one would refuse.

state      what there is, who may see it, what was asked, and what goes wrong
api        GitLab itself: REST, GraphQL, and the tokens for the registry
registry   the registry: its own listing of tags, manifests and blobs
serving    both on ports of their own, and a configuration that crawls them
"""
