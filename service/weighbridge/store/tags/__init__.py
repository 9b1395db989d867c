"""Tags and their history: the only way by which a tag changes, and what is noted until
it is judged.
"""
