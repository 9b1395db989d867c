"""Whose work it is and for how long: claims of repositories and of shared jobs, on the
database's clock.
"""
