"""A strict GitHub with its container registry on loopback: it refuses what the real one
would refuse.

state      what there is, who may see it, what was asked, and what is left of each limit
packages   versions of packages, made from a registry's content and its changes
schema     the shapes of the API's answers, each with its source
answers    what the API, the registry and its storage answer to a request
configured the three on ports of their own, and a configuration that crawls them
"""
