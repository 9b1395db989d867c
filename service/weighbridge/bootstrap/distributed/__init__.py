"""The parts of one installation that is several processes.

`check` is done before a process joins the others, `process` is one worker between two
messages, `looks` and `tick` are its jobs, `crew_watch` shows on a service what workers
do.
"""
