"""Bases, with what stands on each, and one base with the images on it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from msgspec.structs import asdict, replace
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.base.savings import Saving, saving_json
from weighbridge.domain.base.told_bases import MOST_CHAINS
from weighbridge.domain.report.base import BaseImageReport, BaseReport
from weighbridge.domain.report.inventory import Page
from weighbridge.presentation.rows.base_rows import (
    BaseImageRow,
    BaseRow,
    base_json,
    one_base_json,
)
from weighbridge.presentation.rows.lighter_rows import SavingAnswer
from weighbridge.presentation.rows.report_rows import page_of_rows
from weighbridge.presentation.rows.seeding_rows import SeedingRow, seeding_json
from weighbridge.store.bases.builds_on_base import CountedBase
from weighbridge.store.bases.standing import bases_with_layers
from weighbridge.store.reports.base_images import (
    BASE_IMAGE_CURSOR,
    BaseImageQuery,
    base_image_page,
)
from weighbridge.store.reports.bases import (
    BASE_CURSORS,
    BASE_SORTS,
    BaseQuery,
    base_page,
    find_base,
    nearest_bases,
    page_of_seen,
    savings_of,
)
from weighbridge.store.reports.seeding import seeding
from weighbridge.store.session import Connection
from weighbridge.web.request.answers import Refusal, json_answer
from weighbridge.web.request.finding import Finder, Handlers
from weighbridge.web.request.parameters import (
    DEFAULT_LIMIT,
    Group,
    Limit,
    cursor_of,
    text,
    true_or_false,
)
from weighbridge.web.request.unknown_names import not_found

_CHAINS: Final = re.compile(
    rf"^[0-9a-f]{{64}}(?:,[0-9a-f]{{64}}){{0,{MOST_CHAINS - 1}}}$", re.ASCII
)


def _chains(text: str) -> str:
    if _CHAINS.fullmatch(text) is None:
        raise ValueError("are SHA-256 in hexadecimal digits, with commas between")
    return text


BaseName: TypeAlias = Annotated[
    str,
    text(
        "The base as it is written in FROM, such as debian:stretch; any tag that leads "
        "to a build of it, or led there",
        is_needed=True,
    ),
]
IsOutdated: TypeAlias = Annotated[
    bool | None,
    Field(
        description="Only where an older build of the base is meant; with false only "
        "the others"
    ),
    BeforeValidator(true_or_false),
]
BaseSort: TypeAlias = Annotated[
    str,
    Field(
        description="Column to sort by; a cursor goes on in its own order",
        json_schema_extra={"enum": sorted(BASE_SORTS)},
    ),
]
BaseCursor: TypeAlias = Annotated[str | None, cursor_of(*BASE_CURSORS)]
BaseImageCursor: TypeAlias = Annotated[str | None, cursor_of(BASE_IMAGE_CURSOR)]
Bases: TypeAlias = Annotated[
    BaseQuery,
    Group(BaseQuery, BaseCursor, {"sort": BaseSort, "outdated": IsOutdated}),
]


Chains: TypeAlias = Annotated[
    str,
    Field(
        description="Of the first layer, of the first two, and so on: each is the "
        "SHA-256 of the one before and of the layer's digest, both as bytes; at most "
        f"{MOST_CHAINS}, with commas between",
        min_length=1,
        json_schema_extra={"pattern": _CHAINS.pattern},
    ),
    AfterValidator(_chains),
]


@dataclass(frozen=True, slots=True)
class KnownBaseRow:
    """A base whose layers are among those that were asked for. `chain` and `history`
    are over its layers and its lines; `references` are its names, the one that is shown
    first; `replaced_for_s`: so long its tag has led to another build, 0: it leads
    here."""

    chain: str
    layer_count: int
    history: str
    line_count: int
    references: list[str]
    replaced_for_s: int


@dataclass(frozen=True, slots=True)
class KnownBaseList:
    """Bases that an image with these layers may stand on."""

    items: list[KnownBaseRow]


@dataclass(frozen=True, slots=True)
class BaseList:
    """A page of bases, and how far the repositories are read that are named as such:
    `seeding` is null for who sees the repositories of some teams alone."""

    items: list[BaseRow]
    next_cursor: str | None
    seeding: SeedingRow | None


@dataclass(frozen=True, slots=True)
class OneBase:
    """A base with one page of the images on it, those on an older build first.
    `savings` is what slimmer variants of the build that is shown would save each."""

    base: BaseRow
    savings: list[SavingAnswer]
    items: list[BaseImageRow]
    next_cursor: str | None


class BaseRoutes(Handlers):
    """One method a route; each reads one state of the database."""

    def known_bases(self, request: Request, chains: Chains) -> Response:
        """The bases of these layers, for a gate that has weighed an image which the
        service need not know."""
        wanted = {bytes.fromhex(chain) for chain in chains.split(",")}
        with self._database.read() as connection:
            found = bases_with_layers(connection, wanted, self._clock())
        return json_answer(request, {"items": [asdict(base) for base in found]})

    def bases(self, request: Request, query: Bases) -> Response:
        """Bases with what stands on each, most bytes first. For who sees the
        repositories of teams alone, and with `team`, it is counted over these as if
        there were no others; `saved_stored_bytes` is null then."""
        finder = self.finder(request)
        with self._database.read() as connection:
            page = self.read_bases(connection, finder, query)
            seeded = seeding(connection) if finder.sees_all else None
        answer = page_of_rows(page, base_json)
        row = None if seeded is None else seeding_json(seeded)
        return json_answer(request, {**answer, "seeding": row})

    def read_bases(
        self, connection: Connection, finder: Finder, query: BaseQuery
    ) -> Page[BaseReport]:
        """One page of them."""
        seen = finder.bases(connection, self._clock(), query.team)
        if seen is None:
            return base_page(connection, query)
        return page_of_seen(seen, query)

    def base(
        self,
        request: Request,
        ref: BaseName,
        outdated: IsOutdated = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: BaseImageCursor = None,
    ) -> Response:
        """One base, and the images on it, those on an older build of it first. A page
        may have fewer items than `limit`, or none, where there are more."""
        found, page, savings = self.read_base(
            self.finder(request), ref, BaseImageQuery(outdated, limit, cursor)
        )
        answer = one_base_json(found.report, page)
        answer["savings"] = list(map(saving_json, savings))
        return json_answer(request, answer)

    def read_base(
        self, finder: Finder, ref: str, query: BaseImageQuery
    ) -> tuple[CountedBase, Page[BaseImageReport], Sequence[Saving]]:
        """The base of a name with a page of the images on it, and what slimmer variants
        of it would save. Raises Refusal(404)."""
        now = self._clock()
        with self._database.read() as connection:
            seen, sight = finder.bases(connection, now), finder.sight(connection)
            found = find_base(connection, ref, now, seen)
            if found is None:
                raise no_base(connection, ref, seen)
            savings = savings_of(connection, found, finder.reclaim.in_part)
            page = base_image_page(connection, found, query, sight)
        if sight is not None:
            savings = [replace(saving, fleet=None) for saving in savings]
        return found, page, savings


def no_base(
    connection: Connection, ref: str, seen: Sequence[CountedBase] | None
) -> Refusal:
    """The answer where nothing is known to stand on what is asked for."""
    near = nearest_bases(connection, ref, seen)
    return not_found("no image is known to stand on this base", "base_not_found", near)
