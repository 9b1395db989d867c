"""The parts of one installation that is several processes.

`joining` is done before a process joins the others, `process` is one worker between two
messages, and `service` shows what workers do and count.
"""
