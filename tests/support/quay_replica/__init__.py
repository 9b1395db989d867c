"""A strict Quay on loopback: it answers as the source of Quay does, and no more.

state      who may see what, what was asked, and what happens while it is asked
schema     what the bodies of the API hold, and which source says so
listings   entries of the API's listings, made from a registry's content
api        what `/api/v1` answers
registry   what `/v2` and the storage behind it answer
serving    both hosts on ports of their own, for the length of a block
configured a configuration that crawls it
"""
