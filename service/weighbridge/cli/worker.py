"""`weighbridge worker`: does the work of one installation beside other workers."""

import os
from collections.abc import Sequence
from typing import Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import Count
from weighbridge.errors import UsageError

_EXAMPLES: Final = """\b
Examples:
  weighbridge worker --config weighbridge.yaml
  weighbridge worker --concurrency 8
  weighbridge worker --queues push,notify --concurrency 1
"""
_MOST: Final = 256


@click.command(epilog=_EXAMPLES)
@click.option(
    "--concurrency",
    type=Count(1, _MOST),
    help="Jobs side by side, a process each (default: the number of processors).",
)
@click.option(
    "--queues",
    metavar="NAME,...",
    help="Do the work of these only: push, crawl, measure, notify.",
)
@common_options()
def command(options: Options, concurrency: int | None, queues: str | None) -> int:
    """Do enqueued work: crawl, measure, judge, notify.

    Any number of workers may run, on any number of machines. Without --queues there
    is one more process, for pushes and notifications only: they never wait for a long
    crawl. Ends on SIGTERM within 30 seconds; jobs that have begun are finished or
    enqueued again.
    """
    settings = options.settings(policy_files=True)
    wanted = _queues(queues)

    from weighbridge.cli.process.log_lines import configure_log
    from weighbridge.jobs.worker_processes import (
        WorkerProcesses,
        require_workers,
        worker_command,
    )
    from weighbridge.ports.job_names import QUEUES, SOON

    require_workers()

    from weighbridge.bootstrap.databases import checked_database
    from weighbridge.bootstrap.distributed.joining import check_distributed
    from weighbridge.cli.process.stopping import stopped_by_sigterm
    from weighbridge.service_manager import ServiceManager
    from weighbridge.store.schema_watch import SchemaWatch

    configure_log(settings)
    manager = ServiceManager(os.environ)
    with stopped_by_sigterm() as stops:
        try:
            warnings = check_distributed(settings, manager)
        except KeyboardInterrupt:
            return stops.code
    for line in warnings:
        click.echo(line, err=True)
    environ = options.handed_over(settings, os.environ)
    processes = concurrency or os.cpu_count() or 1
    if wanted:
        commands = [worker_command("some", wanted, processes)]
    else:
        commands = [
            worker_command("all", QUEUES, processes),
            worker_command("soon", SOON, 1),
        ]
    running = WorkerProcesses(commands, manager=manager)
    with checked_database(settings) as database:
        watch = SchemaWatch(database, running.stop)
        watch.start()
        code = running.run(environ)
        watch.close()
    if watch.fault is not None:
        raise watch.fault
    return code


def _queues(text: str | None) -> Sequence[str]:
    """Raises UsageError(unknown_queue)."""
    from weighbridge.ports.job_names import QUEUES

    wanted = [name.strip() for name in text.split(",")] if text is not None else []
    if unknown := [name for name in wanted if name not in QUEUES]:
        raise UsageError(
            f"no queue is called {unknown[0]!r}",
            code="unknown_queue",
            hint=f"there are {', '.join(QUEUES)}",
        )
    return wanted
