"""Prometheus' text format, written by hand: ten times the speed of the client's.

Format: Prometheus, "Exposition formats", text-based 0.0.4.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from weighbridge.domain.text.printable import printable

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LABEL_CHARACTERS: Final = 200
_PLAIN: Final = re.compile(rf"[A-Za-z0-9._/:-]{{0,{LABEL_CHARACTERS}}}", re.ASCII)

Labels: TypeAlias = str
"""A rendered label set, `{registry="hub"}`, or "" for none; made by `labels`."""


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
