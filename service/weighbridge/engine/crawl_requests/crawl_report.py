"""What a crawl did, as values: for its closing table and its JSON."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from weighbridge.domain.report.inventory import RegistryState
from weighbridge.errors import TransportError, WeighbridgeError
from weighbridge.store.registries.repository_rows import Troubled

UNAUTHORIZED: Final = frozenset(
    {"unauthorized", "denied", "auth_error", "realm_refused"}
)
"""Codes that say that the credentials are not good enough."""


class CrawlFault(Struct, frozen=True):
    """Something that was not weighed, and why; `hint`: what may help, "" for what helps
    against its code."""

    registry: str
    repository: str | None
    tag: str | None
    code: str
    message: str
    hint: str = ""


class RegistryCrawl(Struct, frozen=True):
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
    repositories: int
    complete: int
    partial: int
    failed: int
    tags: int
    images: int
    requests: int
    bytes_read: int
    weighed_bytes: int
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


def as_json(report: CrawlReport) -> dict[str, object]:
    """The object that `crawl -o json` ends with."""
    return {
        "registries": [
            {
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
            for r in report.registries
        ],
        "repositories": sum(r.repositories for r in report.registries),
        "tags": sum(r.tags for r in report.registries),
        "images": sum(r.images for r in report.registries),
        "requests": sum(r.requests for r in report.registries),
        "bytes_read": sum(r.bytes_read for r in report.registries),
        "weighed_bytes": sum(r.weighed_bytes for r in report.registries),
        "seconds": round(report.seconds, 3),
        "errors": [
            {
                "registry": fault.registry,
                "repository": fault.repository,
                "tag": fault.tag,
                "code": fault.code,
                "message": fault.message,
            }
            for fault in report.errors
        ],
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
    return RegistryCrawl(
        name=name,
        url=url,
        state=state,
        reason=reason,
        repositories=0,
        complete=0,
        partial=0,
        failed=0,
        tags=0,
        images=0,
        requests=0,
        bytes_read=0,
        weighed_bytes=0,
        faults=(fault,),
    )


def state_of(exc: WeighbridgeError) -> tuple[RegistryState, str]:
    """The state of a registry whose discovery ended so, and the reason."""
    if isinstance(exc, TransportError):
        return "unreachable", exc.code
    if exc.code in ("unauthorized", "denied", "auth_error", "realm_refused"):
        return "unauthorized", exc.code
    return "error", exc.code
