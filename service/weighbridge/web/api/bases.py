"""Bases, with what stands on each, and one base with the images on it."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from msgspec.structs import asdict
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.base.savings import saving_json
from weighbridge.domain.base.told_bases import MOST_CHAINS
from weighbridge.domain.report.base import BaseImageReport
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
    CountedBase,
    base_page,
    find_base,
    nearest_bases,
    savings_of,
)
from weighbridge.store.reports.seeding import seeding
from weighbridge.store.session import Connection
from weighbridge.web.request.answers import Refusal, json_answer
from weighbridge.web.request.finding import Handlers
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
    """A page of bases, and how far the repositories are read that are named as such."""

    items: list[BaseRow]
    next_cursor: str | None
    seeding: SeedingRow


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
        """Bases with what stands on each, most bytes first."""
        with self._database.read() as connection:
            page = base_page(connection, query)
            seeded = seeding(connection)
        answer = page_of_rows(page, base_json)
        return json_answer(request, {**answer, "seeding": seeding_json(seeded)})

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
        found, page = self.read_base(ref, BaseImageQuery(outdated, limit, cursor))
        with self._database.read() as connection:
            savings = savings_of(connection, found, self._finder.reclaim.in_part)
        answer = one_base_json(found.report, page)
        answer["savings"] = list(map(saving_json, savings))
        return json_answer(request, answer)

    def read_base(
        self, ref: str, query: BaseImageQuery
    ) -> tuple[CountedBase, Page[BaseImageReport]]:
        """The base of a name with a page of the images on it. Raises Refusal(404)."""
        with self._database.read() as connection:
            found = find_base(connection, ref, self._clock())
            if found is None:
                raise no_base(connection, ref)
            return found, base_image_page(connection, found, query)


def no_base(connection: Connection, ref: str) -> Refusal:
    """The answer where nothing is known to stand on what is asked for."""
    near = nearest_bases(connection, ref)
    return not_found("no image is known to stand on this base", "base_not_found", near)
