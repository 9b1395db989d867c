"""A strict Harbor on loopback: it answers as its swagger.yaml and its source say, and
no more.

state      who may see what, what was asked, and what happens while it is asked
listings   entries of the API's listings, made from a registry's content
api        what `/api/v2.0` answers
registry   what `/service/token` and `/v2` answer
serving    all of it on one port, for the length of a block
configured a configuration that crawls it
"""
