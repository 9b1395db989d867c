"""Figures of real images, written by hand, and of services built on them.

Compressed bytes of the official images are those that the images were published
with. Uncompressed bytes sum to the published total where one exists (the images of
January 2018); elsewhere, and layer by layer, they are estimates by hand. The
services on top of them, shop/api and its like, are invented.
"""
