"""One task for each job: the message's argument goes to the use case of its name."""

from typing import Final

from celery import Celery

from weighbridge.ports.job_names import CANARY, QUEUE_OF, SCHEDULED
from weighbridge_workers.process import Process

_REQUEST: Final = "weighbridge_workers.overrides:ConfirmedRequest"


def register(app: Celery, process: Process) -> None:
    """Give the application its tasks."""
    for job in QUEUE_OF:
        _add(app, process, job)

    def canary(*_: object) -> None:
        process.memory.note_life()

    app.task(name=CANARY, Request=_REQUEST, shared=False)(canary)


def _add(app: Celery, process: Process, job: str) -> None:
    def task(*arguments: object) -> None:
        process.do(job, arguments[0] if len(arguments) == 1 else None)

    app.task(
        name=job,
        Request=_REQUEST,
        shared=False,
        # Where such a message ends its process, the scheduler's next one is soon
        # enough: given back it would end one process after the other, without a pause.
        reject_on_worker_lost=job not in SCHEDULED,
    )(task)
