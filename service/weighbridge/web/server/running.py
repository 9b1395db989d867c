"""One process that serves: what it listens on, and the parts of `weighbridge up` and
`weighbridge serve`.
"""

import asyncio
import math
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from types import FrameType
from typing import Final, Protocol
from urllib.parse import urlsplit

import click
import structlog
import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette

from weighbridge import process_memory
from weighbridge.bootstrap.databases import ready_database
from weighbridge.bootstrap.engine.assembly import Embedded
from weighbridge.bootstrap.registries.probing import Paces, Probes, alone
from weighbridge.bootstrap.registries.sites import asked_targets, scope_of
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.config import PolicySource, RegistrySettings, Settings, split_bind
from weighbridge.config.webhook_settings import WebhookSettings
from weighbridge.domain.image.platform import DEFAULT
from weighbridge.domain.policy.policy import NO_POLICIES
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.engine.judge.policy_reload import PolicyReload
from weighbridge.ports.protocols import JobQueue
from weighbridge.service_manager import UNMANAGED, ServiceManager
from weighbridge.store.leases.validity import DatabaseClock
from weighbridge.store.schema_watch import SchemaWatch
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.request.threads import ANSWER_S
from weighbridge.web.routes.app import create_apps
from weighbridge.web.server.early_refusal import (
    EarlyRefusal,
    HeadDeadline,
    refusing_protocol,
)
from weighbridge.web.server.tls import LOOP, Listeners, ListenerTLS, listeners_tls
from weighbridge.web.webhooks.receiver import Hook, Reception


def reception_of(settings: Settings, jobs: JobQueue | None) -> Reception:
    """Every webhook whose registry is configured.

    jobs: who is asked to handle what was pushed
    """
    pairs = ((w, settings.find_registry(w.registry)) for w in settings.webhooks)
    hooks = [_hook(webhook, registry) for webhook, registry in pairs if registry]
    return Reception(hooks, jobs)


def sources_of(settings: Settings) -> frozenset[str]:
    """Those of which there is such a webhook."""
    return frozenset(
        w.source for w in settings.webhooks if w.registry in settings.names
    )


def _hook(webhook: WebhookSettings, registry: RegistrySettings) -> Hook:
    scope = scope_of(Target(registry.name, registry.url, registry))

    def is_ours(push: PushSeen) -> bool:
        is_wanted = push.tag is None or scope.wants_tag(push.tag)
        return is_wanted and scope.includes(push.repository)

    return Hook(
        source=webhook.source,
        registry=registry.name,
        host=urlsplit(registry.url).netloc,
        prefix=registry.prefix,
        secrets=webhook.current_secrets,
        files=webhook.files,
        is_ours=is_ours,
    )


_FILES: Final = 65_536
_ANSWERED_S: Final = math.ceil(ANSWER_S) + 1
"""Of a server that is to stop: what is in hand is answered by then."""


def web_options(settings: Settings, reload: PolicyReload | None = None) -> WebOptions:
    """What the web part is told of the configuration, and the policies in force.

    reload: None: no page is made with these options
    """
    platforms = dict.fromkeys(p for r in settings.registries for p in r.platforms)
    return WebOptions(
        bind=settings.web.bind,
        anonymous_read=settings.web.anonymous_read,
        external_url=settings.web.external_url,
        trusted_proxies=settings.web.trusted_proxies,
        auth_proxy=settings.web.sign_in_proxy,
        platforms=tuple(platforms) or (DEFAULT,),
        budget=settings.metrics.budget,
        policies=(lambda: NO_POLICIES) if reload is None else reload.current,
        failed_since=(lambda: None) if reload is None else reload.failed_since,
        metrics_bind=settings.metrics.bind,
        reclaim=settings.reclaim_choice,
        prices=settings.prices.prices,
    )


def listeners(
    settings: Settings,
    database: Database,
    telemetry: Telemetry,
    reload: PolicyReload,
    jobs: JobQueue | None = None,
    paces: Paces = alone,
    broker_away_since: Callable[[], datetime | None] = lambda: None,
    due_clock: Callable[[], datetime] | None = None,
    tls: Listeners = Listeners(),  # noqa: B008 - frozen
) -> "MainServer":
    """A server of everything that is configured; `run()` it on the main thread. It
    ends at SIGINT or SIGTERM, and raises the signal again.

    reload: the policies in force
    jobs:   who is asked to handle what webhooks tell, and to crawl what is due
    paces:  what probes share with other processes
    broker_away_since, due_clock: see `WebOptions`
    Raises UsageError(no_token) if others could reach it and nobody could use it.
    """
    options = replace(
        web_options(settings, reload),
        prober=Probes(settings, database, telemetry, paces),
        broker_away_since=broker_away_since,
        due_clock=due_clock,
        find_target=asked_targets(settings),
    )
    apps = create_apps(database, telemetry, options, reception_of(settings, jobs))
    _take_files()
    beside: list[_Server] = []
    if apps.metrics is not None and settings.metrics.bind is not None:
        config = server_config(
            settings, apps.metrics, settings.metrics.bind, tls.metrics
        )
        beside.append(_ListenerBeside(config, "metrics  ", "/metrics"))
    config = server_config(settings, apps.web, settings.web.bind, tls.web)
    config.http = refusing_protocol(EarlyRefusal(telemetry, sources_of(settings)))
    return MainServer(config, beside)


def _take_files() -> None:
    """Use as many open files as the system would give us: each connection is one, and
    the usual 1024 are soon taken by those that are only held."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def server_config(
    settings: Settings, app: Starlette, bind: str, tls: ListenerTLS | None = None
) -> uvicorn.Config:
    """How one app is served: nothing that a stranger sends is waited for long."""
    host, port = split_bind(bind)
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop=LOOP,
        ssl_context_factory=None if tls is None else lambda *_: tls.context,
        http=HeadDeadline,
        ws="none",
        log_config=None,
        # What it says at its start has been said.
        log_level=None if settings.log_level == "debug" else "warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_ANSWERED_S,
    )


class _Server(uvicorn.Server):
    """Says where it serves once it does, and nothing where it cannot.

    word, path: what stands before and behind the address
    """

    def __init__(self, config: uvicorn.Config, word: str, path: str = "") -> None:
        super().__init__(config)
        self._word = word
        self._path = path

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host = self.config.host
            shown = f"[{host}]" if ":" in host else host
            # The system may have chosen it.
            port = self.servers[0].sockets[0].getsockname()[1]
            scheme = "https" if self.config.is_ssl else "http"
            click.echo(f"{self._word}{scheme}://{shown}:{port}{self._path}", err=True)


class _ListenerBeside(_Server):
    """Leaves signals to the main server, which ends it."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)


class MainServer(_Server):
    """Takes the others along: they are served for as long as it is.

    on_stop: called with the signal that is to end it, before anything is waited for
    manager: is notified of how it is
    """

    def __init__(self, config: uvicorn.Config, beside: Sequence[_Server]) -> None:
        super().__init__(config, "serves  ")
        self.on_stop: Callable[[int], None] | None = None
        self.manager = UNMANAGED
        self._beside = beside
        self._tasks: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tasks = [asyncio.create_task(other.serve()) for other in self._beside]
        if self.started:
            self.manager.ready()

    async def on_tick(self, counter: int) -> bool:
        # Ten times a second, by the loop that answers requests.
        self.manager.alive()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.manager.stopping()
        if self.on_stop is not None and not self.should_exit:
            self.on_stop(sig)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for other in self._beside:
            other.should_exit = True
        await asyncio.gather(*self._tasks)
        await super().shutdown(sockets)


LAST_CALL_S: Final = 12.0
"""So long after a signal the database is still waited for, for what is under way."""
STOP_S: Final = 25.0
"""So long after it the process has ended; whoever sent it may wait for thirty."""
_INTERRUPTED: Final = 128 + signal.SIGINT
"""What a shell says of a process that Ctrl-C has ended."""


class _Beside(Protocol):
    """What goes on beside serving."""

    def start(self) -> None:
        """Begin; returns at once."""

    def close(self) -> None:
        """End it."""


def up(
    settings: Settings,
    policies: PolicySource,
    announce: Callable[[], None],
    manager: ServiceManager,
) -> None:
    """Serve and crawl what is configured until SIGINT or SIGTERM.

    announce: called once the database is open
    """
    process_memory.keep_loaded()
    telemetry = Telemetry()
    tls = listeners_tls(settings, telemetry)
    reload = reloaded(policies, telemetry, manager, tls)
    with ready_database(settings) as database:
        embedded = Embedded(settings, database, telemetry, policies=reload.current)
        server = listeners(
            settings, database, telemetry, reload, embedded.jobs, tls=tls
        )
        announce()
        server.manager = manager
        run(server, embedded, reload, database)


def serve(
    settings: Settings,
    policies: PolicySource,
    announce: Callable[[], None],
    manager: ServiceManager,
) -> None:
    """Serve until SIGINT or SIGTERM, and leave the crawling to workers. The upgrade of
    an older schema is waited for.

    Raises StoreError(schema_version) for the database of another version, also once
    another one has upgraded it meanwhile.
    """
    # Need redis, which only the extra `workers` brings.
    from weighbridge.bootstrap.distributed.joining import awaited_database
    from weighbridge.bootstrap.distributed.service import (
        WorkerWatch,
        probe_paces,
        service_enqueuer,
    )

    process_memory.keep_loaded()
    telemetry = Telemetry()
    tls = listeners_tls(settings, telemetry)
    reload = reloaded(policies, telemetry, manager, tls)
    with (
        awaited_database(settings, manager) as database,
        service_enqueuer(settings) as jobs,
    ):
        watch = WorkerWatch(settings, database, telemetry)
        server = listeners(
            settings,
            database,
            telemetry,
            reload,
            jobs,
            probe_paces(settings),
            watch.broker_away_since,
            DatabaseClock(database).now,
            tls,
        )
        announce()
        server.manager = manager
        run(server, watch, reload, database)


def reloaded(
    policies: PolicySource,
    telemetry: Telemetry,
    manager: ServiceManager = UNMANAGED,
    tls: Listeners = Listeners(),  # noqa: B008 - frozen
) -> PolicyReload:
    """Made early: a SIGHUP that nobody handles ends a process that only starts."""
    reload = PolicyReload(policies, telemetry, manager=manager, beside=[tls])
    signal.signal(signal.SIGHUP, reload.wake)
    return reload


def run(
    server: MainServer, beside: _Beside, reload: PolicyReload, database: Database
) -> None:
    """Serve until SIGINT or SIGTERM, with what goes on beside it.

    Raises StoreError(schema_version) once another version has upgraded the database.
    """

    def on_stop(number: int) -> None:
        """Whatever hangs, the process ends."""
        database.end_within(LAST_CALL_S)
        end_after(STOP_S, 0 if number == signal.SIGTERM else _INTERRUPTED)

    server.on_stop = on_stop
    # uvicorn stops serving at a signal and then raises it again: without a handler
    # of ours the process would end there, before anything is put away.
    signal.signal(signal.SIGTERM, _stop)
    schema = SchemaWatch(database, lambda: os.kill(os.getpid(), signal.SIGTERM))
    reload.start()
    beside.start()
    schema.start()
    collecting = process_memory.collect_now_and_then()
    try:
        server.run()
    finally:
        collecting.set()
        schema.close()
        beside.close()
        reload.close()
        if schema.fault is not None:
            raise schema.fault


def end_after(seconds: float, code: int) -> None:
    """End this process then with this exit code, whatever in it still waits or works:
    to be called once it is told to stop. What is committed is safe at any moment."""

    def end() -> None:
        log = structlog.get_logger("weighbridge")
        log.warning("ended with work under way", waited_s=seconds)
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
