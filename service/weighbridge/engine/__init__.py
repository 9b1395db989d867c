"""The use cases as handlers of named jobs: `Engine.handlers` is the table of them.

The database says what is due; a job only says that there may be something to do. So a
job may be lost, come twice or be done by any process: what differs between one process
and many is the `JobQueue` alone. Start reading at `engine.py`.
"""
