"""What a crawl that somebody asked for has done, as values: as this process was told,
and as it is stored; for its closing table and its JSON."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from msgspec.structs import asdict

from weighbridge.domain.report.inventory import RegistryState, RepositoryState
from weighbridge.engine.context.crawl_context import CrawlOutcome
from weighbridge.engine.context.parts import Site, Watcher
from weighbridge.errors import (
    UNAUTHORIZED,
    StoreError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import RequestCost
from weighbridge.store.connection.failures import OF_THE_DATABASE
from weighbridge.store.crawls.crawl_requests import (
    CrawledRepository,
    CrawlRequest,
    crawled_since,
)
from weighbridge.store.crawls.crawled_repositories import (
    Troubled,
    find_troubled,
    weighed,
)
from weighbridge.store.session import Connection


class CrawlFault(Struct, frozen=True):
    """Something that was not weighed, and why; `hint`: what may help, "" for what helps
    against its code."""

    registry: str
    repository: str | None
    tag: str | None
    code: str
    message: str
    hint: str = ""


class RegistryCrawl(Struct):
    """What one crawl of one registry did. `images` and `weighed_bytes` are of the
    distinct images behind the tags crawled, read now or before.

    resumed_at: when the crawl began that this one went on with; None: it is its own
    taken_over: repositories that had been crawled before it was cut off, counted
                in the other numbers
    held:       repositories whose deletion waits for a second crawl
    troubled:   repositories that are not `ok`, worst first
    """

    name: str
    url: str
    state: RegistryState
    reason: str
    repositories: int = 0
    complete: int = 0
    partial: int = 0
    failed: int = 0
    tags: int = 0
    images: int = 0
    requests: int = 0
    bytes_read: int = 0
    weighed_bytes: int = 0
    faults: tuple[CrawlFault, ...] = ()
    warnings: tuple[str, ...] = ()
    resumed_at: datetime | None = None
    taken_over: int = 0
    held: int = 0
    troubled: tuple[Troubled, ...] = ()


class CrawlReport(Struct, frozen=True):
    """What one crawl of one or more registries did."""

    registries: tuple[RegistryCrawl, ...]
    seconds: float

    @property
    def errors(self) -> tuple[CrawlFault, ...]:
        return tuple(fault for r in self.registries for fault in r.faults)

    @property
    def has_failed(self) -> bool:
        """Whether any target could not be crawled."""
        return any(r.failed or r.state != "ok" for r in self.registries)


_SUMMED: Final = (
    "repositories",
    "tags",
    "images",
    "requests",
    "bytes_read",
    "weighed_bytes",
)


def as_json(report: CrawlReport) -> dict[str, object]:
    """The object that `crawl -o json` ends with."""
    return {
        "registries": [_registry_json(r) for r in report.registries],
        **{key: sum(getattr(r, key) for r in report.registries) for key in _SUMMED},
        "seconds": round(report.seconds, 3),
        "errors": [
            {key: value for key, value in asdict(fault).items() if key != "hint"}
            for fault in report.errors
        ],
    }


def _registry_json(r: RegistryCrawl) -> dict[str, object]:
    return {
        "name": r.name,
        "url": r.url,
        "state": r.state,
        "reason": r.reason or None,
        "repositories": r.repositories,
        "complete": r.complete,
        "partial": r.partial,
        "failed": r.failed,
        "tags": r.tags,
        "images": r.images,
        "requests": r.requests,
        "bytes_read": r.bytes_read,
        "weighed_bytes": r.weighed_bytes,
        "resumed_at": _time(r.resumed_at),
        "taken_over": r.taken_over,
        "removals_held": r.held,
        "not_ok": [_troubled_json(item) for item in r.troubled],
    }


def _troubled_json(item: Troubled) -> dict[str, object]:
    return {
        "repository": item.repository,
        "state": item.state,
        "reason": item.reason or None,
        "last_complete_crawl_at": _time(item.last_complete_crawl_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def failed_crawl(name: str, url: str, exc: WeighbridgeError) -> RegistryCrawl:
    """What is to be told of a registry that could not even be asked."""
    fault = CrawlFault(name, None, None, exc.code, exc.message, exc.hint)
    state, reason = state_of(exc)
    return RegistryCrawl(name, url, state, reason, faults=(fault,))


def state_of(exc: WeighbridgeError) -> tuple[RegistryState, str]:
    """The state of a registry whose discovery ended so, and the reason."""
    if isinstance(exc, TransportError):
        return "unreachable", exc.code
    if exc.code in UNAUTHORIZED:
        return "unauthorized", exc.code
    return "error", exc.code


_PAGE: Final = 1_000
_WORDS: Final = {
    "partial": "the crawl did not reach the end; what was not seen is unchanged",
    "missing": "the registry does not know this repository",
    "unauthorized": "the registry refuses these credentials",
    "unreachable": "the registry could not be reached",
    "error": "the registry's answer could not be used",
}


class RequestFacts(Struct):
    """What this process did for one request.

    taken_over: repositories that had been crawled when it was taken up
    broken:     the database refuses what is to be stored
    known:      the request's repositories; None: not listed yet
    """

    outcomes: dict[str, CrawlOutcome] = field(default_factory=dict)
    errors: dict[str, WeighbridgeError] = field(default_factory=dict)
    of_registry: list[WeighbridgeError] = field(default_factory=list)
    taken_over: set[int] = field(default_factory=set)
    broken: StoreError | None = None
    not_measured: int = 0
    held: int = 0
    cost: RequestCost = field(default_factory=RequestCost)
    known: int | None = None


class RequestRecorder(Watcher):
    """Keeps the facts of one request after the other, of one registry at a time."""

    def __init__(self) -> None:
        self.facts = RequestFacts()
        self.changed = asyncio.Event()

    def begin(self) -> None:
        """Forget the request before."""
        self.facts = RequestFacts()

    def listed(
        self, registry: str, state: RegistryState, reason: str, repositories: int
    ) -> None:
        self.facts.known = repositories

    def crawled(self, registry: str, repository: str, outcome: CrawlOutcome) -> None:
        self.facts.outcomes[repository] = outcome
        self.facts.errors.pop(repository, None)

    def failed(
        self, registry: str, repository: str | None, error: WeighbridgeError
    ) -> None:
        if repository is None:
            self.facts.of_registry.append(error)
        else:
            self.facts.errors[repository] = error
        if isinstance(error, StoreError) and error.code in OF_THE_DATABASE:
            self.facts.broken = self.facts.broken or error
            self.changed.set()

    def measured(self, registry: str, left: int) -> None:
        self.facts.not_measured = left

    def held(self, registry: str, removals: int) -> None:
        self.facts.held = removals

    def asked(self, registry: str, requests: int, bytes_read: int) -> None:
        self.facts.cost.requests += requests
        self.facts.cost.bytes_read += bytes_read

    def requests_handled(self) -> None:
        self.changed.set()


class Recorders(Watcher):
    """Keeps the facts of registries that are crawled side by side, each by itself."""

    def __init__(self, registries: Sequence[str]) -> None:
        self.by_registry = {name: RequestRecorder() for name in registries}

    def listed(
        self, registry: str, state: RegistryState, reason: str, repositories: int
    ) -> None:
        self.by_registry[registry].listed(registry, state, reason, repositories)

    def crawled(self, registry: str, repository: str, outcome: CrawlOutcome) -> None:
        self.by_registry[registry].crawled(registry, repository, outcome)

    def failed(
        self, registry: str, repository: str | None, error: WeighbridgeError
    ) -> None:
        self.by_registry[registry].failed(registry, repository, error)

    def measured(self, registry: str, left: int) -> None:
        self.by_registry[registry].measured(registry, left)

    def held(self, registry: str, removals: int) -> None:
        self.by_registry[registry].held(registry, removals)

    def asked(self, registry: str, requests: int, bytes_read: int) -> None:
        self.by_registry[registry].asked(registry, requests, bytes_read)

    def requests_handled(self) -> None:
        for recorder in self.by_registry.values():
            recorder.requests_handled()


class _FactSum(Struct):
    """What the crawls of a request's repositories came to."""

    crawl: RegistryCrawl
    ids: list[int] = field(default_factory=list)
    faults: list[CrawlFault] = field(default_factory=list)

    def add(self, state: RepositoryState, tags: int) -> None:
        self.crawl.tags += tags
        self.crawl.complete += state == "ok"
        self.crawl.partial += state == "partial"
        self.crawl.failed += state not in ("ok", "partial")

    def note(
        self, repository: str | None, code: str, message: str, hint: str = ""
    ) -> None:
        fault = CrawlFault(self.crawl.name, repository, None, code, message, hint)
        self.faults.append(fault)

    def note_outcome(self, repository: str, outcome: CrawlOutcome) -> None:
        result = outcome.result
        if result.state != "ok" and not outcome.faults:
            self.note(repository, result.reason, _WORDS[result.state])
        for one in outcome.faults:
            fault = CrawlFault(
                self.crawl.name, repository, one.tag, one.code, one.message
            )
            self.faults.append(fault)


def report_of(
    connection: Connection,
    site: Site,
    request: CrawlRequest,
    facts: RequestFacts,
    warnings: Sequence[str],
) -> RegistryCrawl:
    """All that came of a request that has ended."""
    state, reason = _state(facts)
    crawl = RegistryCrawl(site.name, site.registered.url, state, reason)
    total = _FactSum(crawl)
    for exc in facts.of_registry:
        total.note(None, exc.code, exc.message, exc.hint)
    _add_crawled(connection, request, facts, total)
    for repository, exc in facts.errors.items():
        crawl.partial += 1
        total.note(repository, exc.code, exc.message, exc.hint)
    if facts.held:
        total.note(
            None,
            "removals_held",
            f"{facts.held} repositories are missing at once; they are kept until "
            "another crawl finds the same",
        )
    if facts.not_measured:
        count = facts.not_measured
        layers = "1 layer" if count == 1 else f"{count:,} layers"
        total.note(None, "not_measured", f"{layers} could not be measured now")
    crawl.images, crawl.weighed_bytes = weighed(connection, total.ids)
    crawl.requests += facts.cost.requests
    crawl.bytes_read += facts.cost.bytes_read
    crawl.repositories = crawl.complete + crawl.partial + crawl.failed
    crawl.faults, crawl.warnings = tuple(total.faults), tuple(warnings)
    crawl.resumed_at = request.asked_at if request.is_resumed else None
    crawl.held = facts.held
    crawl.troubled = tuple(find_troubled(connection, total.ids))
    return crawl


def _state(facts: RequestFacts) -> tuple[RegistryState, str]:
    for exc in facts.of_registry:
        return state_of(exc)
    return "ok", ""


def _add_crawled(
    connection: Connection, request: CrawlRequest, facts: RequestFacts, total: _FactSum
) -> None:
    """In the order of their ids; at the end those of which nothing is kept."""
    left, after = dict(facts.outcomes), 0
    while page := crawled_since(connection, request, after, _PAGE):
        after = page[-1].repository_id
        for one in page:
            total.ids.append(one.repository_id)
            total.add(one.state, one.tags)
            facts.errors.pop(one.repository, None)
            _add_one(one, left.pop(one.repository, None), facts, total)
    for repository, outcome in left.items():
        total.add(outcome.result.state, outcome.result.tags_seen)
        total.note_outcome(repository, outcome)


def _add_one(
    one: CrawledRepository,
    here: CrawlOutcome | None,
    facts: RequestFacts,
    total: _FactSum,
) -> None:
    if here is not None:
        total.note_outcome(one.repository, here)
        return
    if one.repository_id in facts.taken_over:
        total.crawl.taken_over += 1
        return
    # Another process was faster.
    total.crawl.requests += one.requests
    total.crawl.bytes_read += one.bytes_read
    if one.state != "ok":
        total.note(one.repository, one.reason, _WORDS.get(one.state, _WORDS["error"]))
