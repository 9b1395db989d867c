"""Finds out what a registry has, without looking at it: one job of several processes.

`Crawl` does the same and looks at each repository as it is found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from weighbridge.audit.burials import bury_missing
from weighbridge.audit.crawl_report import state_of
from weighbridge.audit.discovery import Discovery
from weighbridge.audit.judging import Judging
from weighbridge.audit.presence import answers
from weighbridge.audit.scope import Scope
from weighbridge.audit.writer import Writer
from weighbridge.domain.report import RegistryState
from weighbridge.errors import (
    DocumentError,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports import Registry
from weighbridge.store.registries import (
    RegistryEntry,
    find_state,
    note_registry,
    put_registry,
)


@dataclass(frozen=True, slots=True)
class Discovered:
    """How it went.

    repositories: that are to be looked at, new ones and known ones
    held:         that would vanish at once and wait for a second look
    wait_s:       how long the registry wants to be left alone, 0: it has not said
    """

    state: RegistryState
    reason: str
    repositories: int
    held: int
    wait_s: float = 0.0


async def discover(
    registry: Registry,
    entry: RegistryEntry,
    scope: Scope,
    writer: Writer,
    judging: Callable[[], Judging],
    clock: Callable[[], datetime],
) -> Discovered:
    """Store what the registry lists, new repositories as due at once, and bury what
    is missing for good. Whatever the registry does is in the result; only StoreError
    is raised."""
    registry_id = await writer.write(put_registry, entry, clock())
    discovery = Discovery(registry, scope, writer, clock)
    found, held = 0, 0
    broken: WeighbridgeError | None = None
    try:
        async for page in discovery.pages(registry_id):
            found += len(page)
        if scope.only is not None:
            await _ask_after(registry, registry_id, writer)
    except (DocumentError, RegistryError, TransportError) as exc:
        broken = exc
    if not isinstance(broken, TransportError):
        held = await bury_missing(
            writer, registry_id, discovery.catalog, scope, judging, clock
        )
    state: RegistryState = "ok"
    reason = ""
    if broken is not None:
        state, reason = state_of(broken)
    await writer.write(
        note_registry, registry_id, state=state, reason=reason, now=clock()
    )
    asked = None if broken is None else broken.retry_after
    return Discovered(state, reason, found, held, asked or 0.0)


async def _ask_after(registry: Registry, registry_id: int, writer: Writer) -> None:
    """Where names are all that is looked at, nothing was asked: one that could not be
    reached is asked after. Raises TransportError."""
    was = await writer.read(find_state, registry_id)
    if was == "unreachable" and not await answers(registry):
        raise TransportError("the registry does not answer", code="unreachable")
