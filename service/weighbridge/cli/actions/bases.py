"""What `weighbridge bases` reads and prints: bases, and the images on one of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from weighbridge.bootstrap.databases import read_database
from weighbridge.config import Settings
from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.image.digest import short
from weighbridge.domain.report.base import BaseImageReport, BaseReport
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.report.seeding import Seeding
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.errors import StoreError
from weighbridge.ports.job_names import BASES
from weighbridge.presentation.forms.phrases import (
    NOTHING_CRAWLED,
    UNKNOWN,
    column_unit,
    minute,
    plural,
)
from weighbridge.presentation.forms.screen import Output, Screen, bar
from weighbridge.presentation.forms.table import Column, Table
from weighbridge.presentation.rows.base_rows import (
    BASE_COLUMNS,
    BASE_IMAGE_COLUMNS,
    base_image_cells,
    base_image_json,
    base_json,
    shown_variant,
    variant_words,
)
from weighbridge.presentation.rows.seeding_rows import seeding_json, seeding_words
from weighbridge.store.leases.jobs import Job, done_at
from weighbridge.store.reports.base_images import BaseImageQuery, base_image_page
from weighbridge.store.reports.bases import (
    BaseQuery,
    BaseTotals,
    base_page,
    base_totals,
    find_base,
    nearest_bases,
)
from weighbridge.store.reports.inventory import was_crawled
from weighbridge.store.reports.seeding import seeding

NO_BASE: Final = (
    "no image is known to stand on a base yet: name the repositories that your images "
    "start from in `bases.repositories` of weighbridge.yaml and crawl them"
)
_NOT_CRAWLED: Final = (
    "its layers are not known: name its repository in `bases.repositories` of "
    "weighbridge.yaml to have it crawled"
)
_NO_VARIANT: Final = {
    "smallest": "smallest",
    "none": "none known",
    "unknown": UNKNOWN,
}
_BAR: Final = 16
_FAILING: Final = 5
_REASON: Final = 100


def bases(
    settings: Settings,
    output: Output,
    screen: Screen,
    *,
    by: str,
    limit: int,
    only_outdated: bool,
) -> str:
    """The bases, by one of their numbers. Raises StoreError(no_database)."""
    query = BaseQuery(
        outdated=True if only_outdated else None,
        sort=by,
        order="asc" if by == "name" else "desc",
        limit=limit,
    )
    with read_database(settings) as connection:
        page = base_page(connection, query)
        totals = base_totals(connection)
        counted_at = done_at(connection, Job(BASES))
        seeded = seeding(connection)
        empty = NO_BASE if was_crawled(connection) else NOTHING_CRAWLED
    if only_outdated and totals.bases:
        empty = "nothing stands on an older build of its base"
    return bases_printed(page, totals, output, screen, counted_at, seeded, empty)


def bases_printed(
    page: Page[BaseReport],
    totals: BaseTotals,
    output: Output,
    screen: Screen,
    counted_at: datetime | None,
    seeded: Seeding,
    empty: str = NO_BASE,
) -> str:
    """The API's rows; for people a line for each base, and how far bases are known."""
    table = Table(
        columns=_columns(page.items, screen),
        keys=BASE_COLUMNS,
        as_object=base_json,
        role=lambda row: "over" if row.outdated_repositories else None,
        empty=empty,
    )
    foot = _foot(page, totals, screen, counted_at) if page.items else []
    foot += _seeded(seeded)
    beside = {"seeding": seeding_json(seeded)}
    return table.printed(page.items, output, screen, foot=foot, beside=beside)


def _seeded(found: Seeding) -> list[str]:
    """How many of the named repositories are known, and what keeps the others."""
    words = seeding_words(found)
    lines = [f"  {words}"] if words else []
    for each in found.failing[:_FAILING]:
        why = printable(each.reason or each.code, _REASON)
        lines.append(f"  {printable(each.reference)}: {each.code}: {why}")
    if more := len(found.failing[_FAILING:]):
        lines.append(f"  and {more:,} more that could not be read")
    return lines


def _columns(rows: Sequence[BaseReport], screen: Screen) -> list[Column[BaseReport]]:
    largest = max((row.weighed_bytes for row in rows), default=0)
    unit = column_unit(largest or 2**20, iec=screen.iec)
    sizes = [row.compressed_bytes or 0 for row in rows]
    most = max((row.saved_bytes or 0 for row in rows), default=0)
    saves = column_unit(most or 2**20, iec=screen.iec)
    size = column_unit(max(sizes, default=0) or 2**20, iec=screen.iec)
    return [
        Column("", _mark, rank=None),
        Column(
            "On it",
            lambda row: _of_known(row, unit.cell(row.weighed_bytes)),
            "number",
            rank=None,
            unit=unit.name,
        ),
        Column(
            "Own",
            lambda row: unit.cell(row.own_bytes),
            "number",
            rank=4,
            unit=unit.name,
        ),
        Column(
            "",
            lambda row: bar(row.weighed_bytes, largest, _BAR, ascii=screen.ascii),
            rank=-1,
            role="own",
        ),
        Column(
            "Base",
            lambda row: size.cell(row.compressed_bytes),
            "number",
            rank=5,
            unit=size.name,
        ),
        Column("Images", lambda row: f"{row.images:,}", "number", rank=3),
        Column("Repositories", lambda row: f"{row.repositories:,}", "number", rank=0),
        Column("To rebuild", _rebuild, "number", rank=6),
        Column(
            "Saves",
            lambda row: _saves(row, saves.cell(row.saved_bytes)),
            "number",
            rank=1,
            unit=saves.name,
        ),
        Column("Name in FROM", lambda row: row.reference, "name"),
        Column("Variant", _variant, rank=2),
        Column("", _state, "line"),
    ]


def _mark(row: BaseReport) -> str:
    return " !" if row.state in ("outdated", "deleted") else "  "


def _of_known(row: BaseReport, cell: str) -> str:
    return UNKNOWN if row.builds is None else cell


def _rebuild(row: BaseReport) -> str:
    return UNKNOWN if (n := row.outdated_repositories) is None else f"{n:,}"


def _saves(row: BaseReport, cell: str) -> str:
    """Of one pull of each newest image; of one without a variant it is said behind."""
    if row.variant_state == "unknown":
        return UNKNOWN
    return "" if row.saved_bytes is None else cell


def _variant(row: BaseReport) -> str:
    if row.variant is None:
        return _NO_VARIANT[row.variant_state]
    return shown_variant(row)


def _state(row: BaseReport) -> str:
    if row.state == "unknown" and row.builds is not None:
        return "not crawled any more"
    if row.state == "unknown":
        return f"not crawled: {plural(row.claimed_images, 'image')} named it"
    if row.state == "deleted":
        return "its tag is deleted"
    return f"outdated since {minute(row.outdated_since)}" if row.outdated_since else ""


def _foot(
    page: Page[BaseReport],
    totals: BaseTotals,
    screen: Screen,
    counted_at: datetime | None,
) -> list[str]:
    more = ", there are more: --limit" if page.next_cursor else ""
    bases_of = f"{len(page.items):,} of {plural(totals.bases, 'base')}{more}"
    standing = plural(totals.newest, "repository", "repositories")
    text = f"  {bases_of}   the newest image of {standing} stands on one"
    if totals.rebuild:
        text += f", of {totals.rebuild:,} on an older build (!)"
    if totals.weighed_bytes:
        share = round(100 * totals.base_bytes / totals.weighed_bytes)
        shown = format_bytes(totals.weighed_bytes, iec=screen.iec)
        text += f"   {share} % of {shown} is base, each image once"
    if totals.saved_bytes:
        saved = format_bytes(totals.saved_bytes, iec=screen.iec)
        text += f"   slimmer bases save {saved} of one pull of each newest image"
    return [text, *_counted(counted_at)]


def _counted(counted_at: datetime | None) -> list[str]:
    return [] if counted_at is None else [f"  counted {minute(counted_at)} UTC"]


def one_base(
    settings: Settings,
    output: Output,
    screen: Screen,
    reference: str,
    *,
    limit: int,
    only_outdated: bool,
) -> str:
    """The images on one base. Raises StoreError(no_database,
    base_not_found)."""
    query = BaseImageQuery(outdated=True if only_outdated else None, limit=limit)
    with read_database(settings) as connection:
        found = find_base(connection, reference, datetime.now(UTC))
        if found is None:
            raise _no_base(reference, nearest_bases(connection, reference))
        page = base_image_page(connection, found, query)
    return one_base_printed(found.report, page, output, screen)


def _no_base(reference: str, near: Sequence[str]) -> StoreError:
    hint = f"nearest  {', '.join(map(printable, near))}" if near else NO_BASE
    return StoreError(
        f"no image is known to stand on {printable(reference, 70)!r}",
        code="base_not_found",
        hint=hint,
    )


def one_base_printed(
    base: BaseReport, page: Page[BaseImageReport], output: Output, screen: Screen
) -> str:
    """The API's answer; for people a line for each image of each repository."""
    table = Table(
        columns=_image_columns(base, page.items, screen),
        keys=BASE_IMAGE_COLUMNS,
        as_object=base_image_json,
        as_cells=base_image_cells,
        role=lambda row: "over" if row.base_state == "outdated" else None,
        empty="none of them is outdated" if base.images else _NOT_CRAWLED,
    )
    beside = {"base": base_json(base), "next_cursor": page.next_cursor}
    text = table.printed(
        page.items, output, screen, foot=_image_foot(base, page), beside=beside
    )
    if output != "table":
        return text
    return "\n".join([screen.joined(_head(base, screen)), "", text])


def _head(base: BaseReport, screen: Screen) -> list[str]:
    """What the base itself is, and what stands on it."""
    parts = [printable(base.reference)]
    if base.compressed_bytes is not None:
        size = format_bytes(base.compressed_bytes, iec=screen.iec)
        layers = plural(base.layers or 0, "layer")
        parts += [f"{base.platform or UNKNOWN}", f"{size} compressed, {layers}"]
    holders = plural(base.repositories, "repository", "repositories")
    parts.append(f"{plural(base.images, 'image')} in {holders}")
    if base.own_bytes is not None:
        parts.append(f"{format_bytes(base.own_bytes, iec=screen.iec)} above it")
    if base.variant_state in ("smallest", "none"):
        parts.append(variant_words(base.variant_state))
    elif base.variant is not None and base.saved_per_image_bytes is not None:
        saved = format_bytes(base.saved_per_image_bytes, iec=screen.iec)
        parts.append(f"{saved} lighter as {name_in_from(base.variant)}")
    if base.outdated_repositories:
        count = plural(base.outdated_repositories, "repository", "repositories")
        parts.append(f"! {count} to rebuild")
    return [*parts, _state(base)]


def _image_foot(base: BaseReport, page: Page[BaseImageReport]) -> list[str]:
    foot = []
    if page.next_cursor:
        foot.append(f"  {len(page.items):,} shown, there are more: --limit")
    if any(row.base_state == "outdated" for row in page.items):
        foot.append("  ! outdated: the name in FROM leads to another build now")
    if any(row.tags is None for row in page.items):
        foot.append("  @: its repository has too many tags to look for this image's")
    if base.claimed_images:
        count = plural(base.claimed_images, "further image")
        foot.append(f"  {count} only named it in an annotation")
    return foot


def _image_columns(
    base: BaseReport, rows: Sequence[BaseImageReport], screen: Screen
) -> list[Column[BaseImageReport]]:
    sizes = [row.compressed_bytes for row in rows]
    unit = column_unit(max(sizes, default=0) or 2**20, iec=screen.iec)
    return [
        Column(
            "",
            lambda row: "  " if row.base_state == "current" else " !",
            rank=None,
        ),
        Column(
            "Compressed",
            lambda row: unit.cell(row.compressed_bytes),
            "number",
            rank=None,
            unit=unit.name,
        ),
        Column(
            "Own",
            lambda row: unit.cell(row.own_bytes),
            "number",
            rank=3,
            unit=unit.name,
        ),
        Column("Newest", lambda row: "newest" if row.is_newest else "", rank=2),
        Column("Image", _image, "name"),
        Column("Platform", lambda row: row.platform, rank=1),
        Column("", _image_state, "line"),
    ]


def _image(row: BaseImageReport) -> str:
    name = f"{row.registry}/{row.repository}"
    if not row.tags:
        return f"{name}@{short(row.digest)}"
    more = len(row.tags) - 1
    also = f" and {plural(more, 'more tag')}" if more else ""
    return f"{name}:{row.tags[0]}{also}"


def _image_state(row: BaseImageReport) -> str:
    if row.base_state == "unknown":
        return "not crawled any more"
    if row.base_left_at is None:
        return ""
    word = "outdated" if row.base_state == "outdated" else "its base's tag is deleted"
    return f"{word} since {minute(row.base_left_at)}"
