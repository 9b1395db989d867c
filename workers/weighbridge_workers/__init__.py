"""Weighbridge as several processes: Celery tasks over the use cases of the service.

Thin on purpose. `app` is what Celery starts, and hands each message to the use case of
its name, `process` keeps what a process needs between two messages.
"""
