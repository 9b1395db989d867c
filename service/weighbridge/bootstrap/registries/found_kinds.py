"""What kind a registry is of which nobody has written it: as its host tells, as it was
found to be before, or as its answers show.

An entry is taken for a kind only where it has all that this kind must be told. Else it
is crawled by the specification alone, and people are told what to write.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct
from pydantic import ValidationError

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.bootstrap.registries.targets import Target, address_of, is_left_to_us
from weighbridge.config import RegistrySettings
from weighbridge.config.kinds import DISTRIBUTION, given, made
from weighbridge.domain.image.document import Problem
from weighbridge.domain.registry.found_kind import FoundKind
from weighbridge.domain.text.printable import printable
from weighbridge.errors import RegistryError, TransportError
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS
from weighbridge.registry.recognition import Recognised

if TYPE_CHECKING:
    from weighbridge.store.session import Database

ASKING_S: Final = 10.0
"""So long a registry may take to show what it is; the next crawl asks again."""

_KNOWN: Final = f"(of {', '.join(k for k in REGISTRY_KINDS if k != DISTRIBUTION)})"
"""Ends what is stored of a registry that shows no kind: by which it was not known."""

Ask: TypeAlias = Callable[[], Awaitable[Recognised]]


class KindFinding(Struct, frozen=True):
    """A kind that was found, and the entry as the kind has it that it is taken for."""

    found: FoundKind
    settings: RegistrySettings


async def find_kind(
    target: Target, database: "Database | None", ask: Ask | None
) -> KindFinding | None:
    """What a registry is taken for; None where that is written, or its host tells it,
    or nobody knows yet.

    ask: asks it; None: it is not asked, and what is stored of it counts
    Raises StoreError.
    """
    entry = target.settings
    if entry is None or not is_left_to_us(target):
        return None
    stored = await stored_kind(entry, database)
    if ask is None or (stored is not None and not _may_be_more(stored.found)):
        return stored
    shown = await ask_kind(ask)
    if shown is None:
        return stored
    return suited(entry, shown.kind or DISTRIBUTION, shown.sign, is_new=True)


async def ask_kind(ask: Ask) -> Recognised | None:
    """What its answers show; None where they could not be had."""
    try:
        async with asyncio.timeout(ASKING_S):
            shown = await ask()
    except (RegistryError, TransportError, TimeoutError):
        return None  # Whoever asks it for something is told why there is no answer.
    if shown.kind is None:
        return Recognised(None, f"{shown.sign} {_KNOWN}")
    return shown


def _may_be_more(found: FoundKind) -> bool:
    """Whether it showed no kind to a version that knew others than this one."""
    return found.shown == DISTRIBUTION and not found.sign.endswith(_KNOWN)


async def stored_kind(
    entry: RegistrySettings, database: "Database | None"
) -> KindFinding | None:
    """As it was found to be before."""
    if database is None:
        return None
    # In a thread: what else is served meanwhile does not wait for the database.
    stored = await asyncio.to_thread(_stored, entry.url, database)
    if stored is None or stored[0] not in REGISTRY_KINDS:
        return None
    return suited(entry, *stored, is_new=False)


def _stored(url: str, database: "Database") -> tuple[str, str] | None:
    # Imported late: SQL takes half a second to load.
    from weighbridge.store.connection.deadlines import OPENING_S, within
    from weighbridge.store.registries.registry_rows import find_kind as find_stored

    with within(OPENING_S), database.read() as connection:
        return find_stored(connection, address_of(url))


def suited(
    entry: RegistrySettings, shown: str, sign: str, *, is_new: bool
) -> KindFinding:
    """The entry as the kind that its answers show, if it has what that must be told."""
    suiting, advice = _as_kind(entry, shown)
    kind = DISTRIBUTION if suiting is None else shown
    found = FoundKind(
        shown=shown,
        sign=sign,
        kind=kind,
        storage_scope=REGISTRY_KINDS[kind].storage_scope,
        advice=advice,
        is_new=is_new,
    )
    return KindFinding(found, suiting or entry)


def _as_kind(entry: RegistrySettings, kind: str) -> tuple[RegistrySettings | None, str]:
    """The entry of this kind, else None and what it lacks."""
    try:
        suiting = made(KINDS.registries[kind], given(entry) | {"kind": kind})
    except ValidationError as exc:
        lacking = "; ".join(_fault(error) for error in exc.errors(include_url=False))
    else:
        lacking = REGISTRY_KINDS[kind].signs.lacks(suiting)
        if not lacking:
            return suiting, ""
    return None, f"write kind: {kind} for it ({printable(lacking)})"


def _fault(error: object) -> str:
    """One fault of an entry, with its key."""
    told: dict[str, object] = dict(error) if isinstance(error, dict) else {}
    context, place = told.get("ctx"), told.get("loc")
    at = context.get("at") if isinstance(context, dict) else None
    if at is None and isinstance(place, tuple):
        at = ".".join(map(str, place))
    return f"{at} {told.get('msg', '')}".strip()


def told_of(found: FoundKind | None) -> tuple[Problem, ...]:
    """What people are told: that it was recognised just now, or what to write."""
    if found is None:
        return ()
    if found.advice:
        return (
            Problem(
                "kind_not_taken",
                f"it shows to be {found.shown} ({found.sign}), and is crawled by the"
                f" specification alone: {found.advice}",
            ),
        )
    if found.is_new and found.kind != DISTRIBUTION:
        return (
            Problem(
                "kind_found",
                f"it is crawled as {found.kind}, as {found.sign}; kind: in"
                " weighbridge.yaml says otherwise",
            ),
        )
    return ()
