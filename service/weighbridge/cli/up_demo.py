"""`weighbridge up --demo`: a registry of examples, whose past is crawled first."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from weighbridge import process_memory
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.engine.assembly import Embedded, crawl_targets
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.cli.process.log_lines import configure_log
from weighbridge.config import (
    BasesSettings,
    PolicySource,
    RegistrySettings,
    Settings,
)
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.http.server import RunningDemo
from weighbridge.demo.story import demo_steps
from weighbridge.domain.image.reference import DOCKER_HUB
from weighbridge.domain.text.printable import Secret
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.judge.judged_batch import Judges
from weighbridge.store.reports.inventory import registry_names
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import check_reach
from weighbridge.web.server.running import listeners, reloaded, run, web_options
from weighbridge.web.server.tls import listeners_tls

DEMO: Final = "demo"
DEMO_PORT: Final = 5080
DEMO_BASES: Final = (
    "alpine",
    "buildpack-deps",
    "debian",
    "golang",
    "nginx",
    "node",
    "python",
)
"""Of the official images those that it has."""
_KEPT_DEMO: Final = (
    "keep the demo: weighbridge token create --role read --database demo.db, "
    "then up --demo --database demo.db"
)


def up_demo(
    settings: Settings,
    policies: PolicySource,
    database_url: Secret | None,
    announce: Callable[[], None],
) -> None:
    """Serve and crawl the demo registry until SIGINT or SIGTERM.

    database_url: where to keep it; None for a folder that ends with the process
    Raises UsageError(no_token) where others could reach what is not kept: nobody can
    make a token for that.
    """
    if database_url is None:
        check_reach(web_options(settings), lambda: False, _KEPT_DEMO)
    configure_log(settings)
    process_memory.keep_loaded()
    telemetry = Telemetry()
    tls = listeners_tls(settings, telemetry)
    reload = reloaded(policies, telemetry, tls=tls)
    with ExitStack() as stack:
        if database_url is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory("-weighbridge"))
            database_url = Secret(f"sqlite:///{Path(folder) / 'demo.db'}")
        url = stack.enter_context(_demo_registry())
        settings = _with_demo(settings, url(None), database_url)
        database = stack.enter_context(ready_database(settings))
        server = listeners(settings, database, telemetry, reload, tls=tls)
        announce()
        if not _has_a_past(database):
            judges = Judges(reload.current, is_silent=True)
            _live_through(settings, url, database, telemetry, judges)
        _tell_what_to_try(settings)
        embedded = Embedded(settings, database, telemetry, policies=reload.current)
        run(server, embedded, reload, database)


@contextmanager
def _demo_registry() -> Iterator[Callable[[int | None], str]]:
    """A running demo registry; the function yielded sets its moment (None for the
    last one) and tells its URL."""
    steps = demo_steps()
    running = _started(steps[-1][1])

    def at(step: int | None) -> str:
        running.server.content = steps[-1 if step is None else step][1]
        return running.url

    try:
        yield at
    finally:
        running.close()


def _started(content: RegistryContent) -> RunningDemo:
    """On its usual port, so that pages and people can name it; else on a free one."""
    try:
        return RunningDemo(content, DEMO_PORT)
    except OSError:
        running = RunningDemo(content)
        host = running.url.removeprefix("http://")
        text = f"note    port {DEMO_PORT} is in use: the demo registry is at {host}"
        click.echo(text, err=True)
        return running


def _with_demo(settings: Settings, url: str, database_url: Secret) -> Settings:
    demo = RegistrySettings(name=DEMO, url=url, mirror_of=DOCKER_HUB)
    return settings.model_copy(
        update={
            "registries": (demo,),
            "bases": BasesSettings(repositories=DEMO_BASES),
            "database_url": database_url,
        }
    )


def _live_through(
    settings: Settings,
    registry_at: Callable[[int | None], str],
    database: Database,
    telemetry: Telemetry,
    judges: Judges,
) -> None:
    """Crawl the demo as it was at each of its moments, so that tags have a past."""
    (demo,) = settings.registries
    target = Target(demo.name, demo.url, demo)
    for number, (moment, _) in enumerate(demo_steps()):
        registry_at(number)
        progress = Progress()
        report = asyncio.run(
            crawl_targets(
                settings,
                [target],
                database,
                telemetry,
                progress,
                clock=_stopped_at(moment),
                judges=judges,
            )
        )
        (done,) = report.registries
        click.echo(
            f"crawled  the demo as of {moment:%Y-%m-%d}: {done.repositories} "
            f"repositories, {done.tags} tags, {done.requests} requests",
            err=True,
        )
    registry_at(None)


def _has_a_past(database: Database) -> bool:
    """Whether the demo was kept here before: its year is not lived twice."""
    with database.read() as connection:
        return DEMO in registry_names(connection)


def _tell_what_to_try(settings: Settings) -> None:
    (demo,) = settings.registries
    host = demo.url.removeprefix("http://")
    click.echo(f"try      weighbridge inspect {host}/tutorial/hello", err=True)


def _stopped_at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment
