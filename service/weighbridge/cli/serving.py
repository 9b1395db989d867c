"""One process that serves, schedules and crawls: the parts of `weighbridge up`."""

import asyncio
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

import click
import uvicorn

from weighbridge.audit.progress import Progress
from weighbridge.bootstrap.crawling import crawl_targets
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.embedded import Embedded
from weighbridge.bootstrap.targets import Target
from weighbridge.cli import collector
from weighbridge.cli.log_lines import configure_log
from weighbridge.config import RegistrySettings, Settings, split_bind
from weighbridge.demo.content import Content
from weighbridge.demo.server import Running, start_in_thread
from weighbridge.demo.story import demo_steps
from weighbridge.domain.platform import DEFAULT
from weighbridge.domain.secret import Secret
from weighbridge.store.reports import registry_names
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.app import create_app
from weighbridge.web.options import WebOptions

DEMO: Final = "demo"
DEMO_PORT: Final = 5080


def up(settings: Settings, announce: Callable[[], None]) -> None:
    """Serve and crawl what is configured until SIGINT or SIGTERM.

    announce: called once the database is open
    """
    configure_log(settings)
    collector.relax()
    telemetry = Telemetry()
    with ready_database(settings) as database:
        announce()
        _serve(settings, database, telemetry)


def up_demo(
    settings: Settings, database_url: str | None, announce: Callable[[], None]
) -> None:
    """The same over the demo registry, whose past is crawled first.

    database_url: where to keep it; None for a folder that ends with the process
    """
    configure_log(settings)
    collector.relax()
    telemetry = Telemetry()
    with ExitStack() as stack:
        if database_url is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory("-weighbridge"))
            database_url = f"sqlite:///{Path(folder) / 'demo.db'}"
        url = stack.enter_context(_demo_registry())
        settings = _with_demo(settings, url(None), database_url)
        database = stack.enter_context(ready_database(settings))
        announce()
        if not _has_a_past(database):
            _live_through(settings, url, database, telemetry)
        _tell_what_to_try(settings)
        _serve(settings, database, telemetry)


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


def _started(content: Content) -> Running:
    """On its usual port, so that pages and people can name it; else on a free one."""
    try:
        return start_in_thread(content, DEMO_PORT)
    except OSError:
        running = start_in_thread(content)
        host = running.url.removeprefix("http://")
        text = f"note    port {DEMO_PORT} is in use: the demo registry is at {host}"
        click.echo(text, err=True)
        return running


def _with_demo(settings: Settings, url: str, database_url: str) -> Settings:
    demo = RegistrySettings(name=DEMO, url=url)
    return settings.model_copy(
        update={"registries": (demo,), "database_url": Secret(database_url)}
    )


def _live_through(
    settings: Settings,
    registry_at: Callable[[int | None], str],
    database: Database,
    telemetry: Telemetry,
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


class _Server(uvicorn.Server):
    """Says where it serves once it does, and nothing where it cannot."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host = self.config.host
            shown = f"[{host}]" if ":" in host else host
            # The system may have chosen it.
            port = self.servers[0].sockets[0].getsockname()[1]
            click.echo(f"serves  http://{shown}:{port}", err=True)


def _serve(settings: Settings, database: Database, telemetry: Telemetry) -> None:
    host, port = split_bind(settings.web.bind)
    options = WebOptions(
        bind=settings.web.bind,
        anonymous_read=settings.web.anonymous_read,
        external_url=settings.web.external_url,
        platforms=tuple(
            dict.fromkeys(p for r in settings.registries for p in r.platforms)
        )
        or (DEFAULT,),
        budget=settings.metrics.budget,
    )
    app = create_app(database, telemetry, options)
    server = _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            # What it says at its start has been said.
            log_level=None if settings.log_level == "debug" else "warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=32 * 1024,
        )
    )
    embedded = Embedded(settings, database, telemetry)
    # uvicorn stops serving at a signal and then raises it again: without a handler
    # of ours the process would end there, before anything is put away.
    signal.signal(signal.SIGTERM, _stop)
    embedded.start()
    try:
        server.run()
    finally:
        embedded.close()


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
