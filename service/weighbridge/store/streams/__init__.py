"""What streams of tags had, newest first: what limits and baselines are held
against.
"""
