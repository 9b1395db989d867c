"""A strict Docker Hub on loopback: it refuses what the real one would refuse.

state     who may see what, what was asked, and what is left of each limit
listings  pages of the Hub's API, made from a registry's content
answers   what the API, the token service and the registry answer to a request
serving   the three on ports of their own, for the length of a block
dataset   the recorded official images as its content
"""
