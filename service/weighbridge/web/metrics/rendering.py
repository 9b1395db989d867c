"""The inventory as text, put together piece by piece.

Prometheus' text format (Prometheus, "Exposition formats", text-based 0.0.4) is written
by hand: ten times the speed of the client's. A piece is small, so that a scrape that
wants the interpreter meanwhile gets it within a millisecond or two; what takes long
(compressing, reading) lets go of it anyway.
"""

import hashlib
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.report.base import BaseReport
from weighbridge.domain.report.inventory import RegistryReport
from weighbridge.domain.text.printable import printable
from weighbridge.web.metrics.families import (
    BASES,
    BY_POLICY,
    FAILING,
    INFO,
    REGISTRY,
    VIOLATIONS,
    LimitFamily,
    RepositoryFamily,
    SeriesRow,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LABEL_CHARACTERS: Final = 200
_PLAIN: Final = re.compile(rf"[A-Za-z0-9._/:-]{{0,{LABEL_CHARACTERS}}}", re.ASCII)

Labels: TypeAlias = str
"""A rendered label set, `{registry="hub"}`, or "" for none; made by `labels`."""

RegistrySums: TypeAlias = tuple[tuple[str, str], Mapping[str, int]]
"""A family's name and help, and by the names of registries what is known of them."""


class Gauges(Struct, frozen=True):
    """One family of gauges: all its samples stand in one block."""

    name: str
    help: str
    samples: Sequence[tuple[Labels, float]]


def labels(**values: str) -> Labels:
    """Label set of these values, cleaned and escaped."""
    return "{" + ",".join(f'{n}="{escaped(v)}"' for n, v in values.items()) + "}"


def exposition(families: Iterable[Gauges]) -> bytes:
    """The whole answer to a scrape. A family without samples is left out."""
    return b"".join(
        head(family.name, family.help)
        + "".join(
            [f"{family.name}{label} {value}\n" for label, value in family.samples]
        ).encode()
        for family in families
        if family.samples
    )


def head(name: str, help_text: str) -> bytes:
    """What stands before the samples of a family."""
    return f"# HELP {name} {help_text}\n# TYPE {name} gauge\n".encode()


def escaped(value: str) -> str:
    """A label's value as it stands between its quotes."""
    if _PLAIN.fullmatch(value):
        return value
    clean = printable_label(value)
    return clean.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def printable_label(value: str) -> str:
    """At most 200 printable characters.

    A value that had to be changed ends in eight digits of its digest: two names
    that differ in the changed part only would otherwise be one series twice, and
    Prometheus refuses such a scrape as a whole.
    """
    clean = printable(value)
    if clean == value and len(value) <= LABEL_CHARACTERS:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{clean[: LABEL_CHARACTERS - 9]}~{digest}"


# Level 1 takes off nine tenths; higher ones cost several times as much for little.
_ZIP_LEVEL: Final = 1
_GZIP_FORMAT: Final = 31  # zlib: window bits 15, plus 16 for a gzip wrapper
_ZIP_PIECE: Final = 256 * 1024
_BREATH_S: Final = 0.0005


class Rendered(Struct, frozen=True):
    """The bytes that a scrape gets, plain and as gzip."""

    plain: bytes
    zipped: bytes


class EncodedText:
    """Text in both codings, to which a last part can be added at little cost."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self._compressor = zlib.compressobj(_ZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
        view = memoryview(plain)
        self._zipped = b"".join(
            self._compressor.compress(view[start : start + _ZIP_PIECE])
            for start in range(0, len(plain), _ZIP_PIECE)
        )

    def with_end(self, end: bytes) -> Rendered:
        """The whole of it; the compressor is copied, so that nothing before `end`
        is compressed again."""
        compressor = self._compressor.copy()
        zipped = self._zipped + compressor.compress(end) + compressor.flush()
        return Rendered(self.plain + end, zipped)


class _Block(Struct):
    """One family: its head, and the samples of each registry in turn."""

    head: bytes
    parts: list[tuple[str, bytes]] = field(default_factory=list)


class Span(Struct, frozen=True):
    """Where a family stands in the text: its head, and each registry's samples."""

    start: int
    end: int
    registries: dict[str, tuple[int, int]]


class Text(Struct, frozen=True):
    """The inventory as text, and where in it each registry's part is."""

    plain: bytes
    series: int
    spans: tuple[Span, ...]

    def of_registry(self, name: str) -> bytes:
        """The samples of one registry under the heads of their families."""
        parts = []
        for span in self.spans:
            if (place := span.registries.get(name)) is not None:
                parts.append(self.plain[span.start : span.end])
                parts.append(self.plain[place[0] : place[1]])
        return b"".join(parts)


def render(
    registries: Sequence[RegistryReport],
    pieces: Iterable[Sequence[SeriesRow]],
    families: Sequence[RepositoryFamily | LimitFamily],
    by_policy: Mapping[tuple[str, Severity], int] | None = None,
    bases: Sequence[BaseReport] = (),
    sums: Sequence[RegistrySums] = (),
    *,
    breath_s: float = _BREATH_S,
) -> Text:
    """All families; `pieces` have the values of `families`, by registry.

    by_policy: how many repositories violate a policy, by severity
    bases:     those that have series
    sums:      of registries of which they are known
    breath_s: how long others may have the interpreter after each piece
    """
    totals = (_of_policies(by_policy or {}), *_of_bases(bases))
    blocks = [*_of_registries(registries), *_of_sums(registries, sums), *totals]
    info, violations = _Block(head(*INFO)), _Block(head(*VIOLATIONS))
    numbers = [_Block(head(family.name, family.help)) for family in families]
    series = sum(len(block.parts) for block in blocks)
    for piece in pieces:
        for registry, grouped in groupby(piece, key=lambda row: row.registry):
            rows = list(grouped)
            series += _add(info, numbers, families, registry, rows)
            series += _add_violations(violations, registry, rows)
        time.sleep(breath_s)
    return _joined([*blocks, info, *numbers, violations], series)


def _of_registries(registries: Sequence[RegistryReport]) -> Iterator[_Block]:
    """Every state has its sample, also where no repository is in it."""
    for family in REGISTRY:
        values = ((each.name, family.value_of(each)) for each in registries)
        yield _block(
            (family.name, family.help),
            (
                (registry, labels(registry=registry), value)
                for registry, value in values
                if value is not None
            ),
        )
    yield _block(
        FAILING,
        (
            (report.name, labels(registry=report.name, state=state), count)
            for report in registries
            for state, count in report.failing.items()
        ),
    )


def _of_sums(
    registries: Sequence[RegistryReport], sums: Sequence[RegistrySums]
) -> Iterator[_Block]:
    for family, known in sums:
        yield _block(
            family,
            (
                (each.name, labels(registry=each.name), known[each.name])
                for each in registries
                if each.name in known
            ),
        )


def _of_policies(by_policy: Mapping[tuple[str, Severity], int]) -> _Block:
    """Totals over all registries: of one registry (its name is never "") they are no
    part."""
    return _block(
        BY_POLICY,
        (
            ("", labels(policy=policy, severity=severity), count)
            for (policy, severity), count in sorted(by_policy.items())
        ),
    )


def _of_bases(bases: Sequence[BaseReport]) -> Iterator[_Block]:
    """Totals over all registries, too."""
    for family in BASES:
        values = ((each.reference, family.value_of(each)) for each in bases)
        yield _block(
            (family.name, family.help),
            (
                ("", labels(base_image=reference), value)
                for reference, value in values
                if value is not None
            ),
        )


def _block(
    family: tuple[str, str], samples: Iterable[tuple[str, Labels, int]]
) -> _Block:
    """family: its name and help; samples: each with the registry whose part it is"""
    block = _Block(head(*family))
    for registry, label, value in samples:
        line = f"{family[0]}{label} {value}\n"
        block.parts.append((registry, line.encode()))
    return block


def _add(
    info: _Block,
    numbers: Sequence[_Block],
    families: Sequence[RepositoryFamily | LimitFamily],
    registry: str,
    rows: Sequence[SeriesRow],
) -> int:
    """Add the samples of rows of one registry; how many these are."""
    start = f'{{registry="{escaped(registry)}",repository="'
    names = [f'{start}{escaped(row.repository)}"' for row in rows]
    name = INFO[0]
    lines = [
        f'{name}{label},platform="{escaped(row.platform)}"{_team(row.team)}}} 1\n'
        for label, row in zip(names, rows, strict=True)
    ]
    info.parts.append((registry, "".join(lines).encode()))
    series = len(lines)
    columns = zip(*(row.values for row in rows), strict=True)
    for block, family, values in zip(numbers, families, columns, strict=True):
        name = family.name
        lines = [
            f"{name}{label}}} {value}\n"
            for label, value in zip(names, values, strict=True)
            if value is not None
        ]
        block.parts.append((registry, "".join(lines).encode()))
        series += len(lines)
    return series


def _add_violations(block: _Block, registry: str, rows: Sequence[SeriesRow]) -> int:
    """A sample for each severity of which a repository has violations."""
    name = VIOLATIONS[0]
    lines = []
    for row in rows:
        for severity, count in sorted(row.violations.items()):
            label = labels(
                registry=registry, repository=row.repository, severity=severity
            )
            lines.append(f"{name}{label} {count}\n")
    if lines:
        block.parts.append((registry, "".join(lines).encode()))
    return len(lines)


def _team(team: str) -> str:
    """The label, left out where there is none: to Prometheus that is the same."""
    return f',team="{escaped(team)}"' if team else ""


def _joined(blocks: Sequence[_Block], series: int) -> Text:
    """The text; a family without samples is left out."""
    texts: list[bytes] = []
    spans: list[Span] = []
    at = 0
    for block in blocks:
        if not any(part for _, part in block.parts):
            continue
        span = Span(at, at + len(block.head), {})
        texts.append(block.head)
        at = span.end
        for registry, part in block.parts:
            begin, _ = span.registries.get(registry, (at, at))
            at += len(part)
            if at > begin:
                span.registries[registry] = (begin, at)
            texts.append(part)
        spans.append(span)
        block.parts.clear()
    return Text(b"".join(texts), series, tuple(spans))
