"""Which tags of a repository are slimmer variants of another one, by their names.

Docker's official images, and those of Microsoft, say in the tag what is in an image:
`3.7-slim`, `3.7-alpine`, `3-slim-trixie`, `10.0-noble-chiseled`. A tag is taken apart
into what must be the same, the release of the distribution, and what makes it slim.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

VariantKind: TypeAlias = Literal["slim", "alpine", "chiseled", "distroless"]
VARIANT_KINDS: Final[tuple[VariantKind, ...]] = (
    "slim",
    "alpine",
    "chiseled",
    "distroless",
)
"""One of these words is in the tag of every variant."""

_ALPINE: Final = re.compile(r"alpine(?:[0-9]+(?:\.[0-9]+)*)?", re.ASCII)
_SUITE: Final = re.compile(
    # Debian, Ubuntu, and what Microsoft calls its own.
    r"wheezy|jessie|stretch|buster|bullseye|bookworm|trixie|forky|sid"
    r"|trusty|xenial|artful|zesty|bionic|cosmic|disco|eoan|focal|groovy|hirsute|impish"
    r"|jammy|kinetic|lunar|mantic|noble|oracular|plucky|questing|resolute"
    r"|azurelinux[0-9.]+|mariner[0-9.]+",
    re.ASCII,
)
_KINDS: Final[dict[str, VariantKind]] = {
    "slim": "slim",
    "chiseled": "chiseled",
    "distroless": "distroless",
}
_WITHOUT_A_SHELL: Final = "no shell and no package manager are in it"
_CAUTIONS: Final[dict[VariantKind, str]] = {
    "slim": "it has fewer tools: no compiler, no headers, often no git and no curl;"
    " what is compiled or fetched needs a build stage",
    "alpine": "it has musl in place of glibc: programs and binary packages (wheels)"
    " that were built for glibc do not run; busybox is in place of the GNU tools",
    "chiseled": f"{_WITHOUT_A_SHELL}, and it does not run as root",
    "distroless": _WITHOUT_A_SHELL,
}
_DEBIAN: Final = re.compile(r"(?:\A|/)debian:")
_SLIM_DEBIAN: Final = (
    "documentation, manual pages and translations are not in it, and packages install"
    " none"
)


class TagParts(Struct, frozen=True):
    """A tag, taken apart.

    core:  what both must have: version, flavour
    suite: the release of the distribution that it names, "" for none
    kinds: what makes it slim
    """

    core: tuple[str, ...]
    suite: str
    kinds: frozenset[VariantKind]


def tag_parts(tag: str) -> TagParts:
    """`3-slim-trixie`: core `3`, suite `trixie`, kind `slim`."""
    core: list[str] = []
    suite = ""
    kinds: set[VariantKind] = set()
    for part in tag.split("-"):
        if part in _KINDS:
            kinds.add(_KINDS[part])
        elif _ALPINE.fullmatch(part):
            kinds.add("alpine")
        elif not suite and _SUITE.fullmatch(part):
            suite = part
        elif part != "latest":
            core.append(part)
    return TagParts(tuple(core), suite, frozenset(kinds))


def kind_of(tag: str) -> VariantKind | None:
    """The kind by which a variant is known: that which changes most."""
    kinds = tag_parts(tag).kinds
    order: tuple[VariantKind, ...] = ("distroless", "chiseled", "alpine", "slim")
    return next((kind for kind in order if kind in kinds), None)


def is_variant(tag: str, full: str) -> bool:
    """Whether a tag names a slim variant of another tag of its repository: the same
    version and flavour, and on the same release of the distribution where the full one
    names it; `sid-slim` is none of `latest`, of which nobody knows the release. Alpine
    is a distribution of its own, and what is chiseled or distroless may be of another.
    Whether it is lighter, bytes tell."""
    mine, theirs = tag_parts(tag), tag_parts(full)
    if not mine.kinds or mine.kinds == theirs.kinds or mine.core != theirs.core:
        return False
    if "alpine" in mine.kinds:
        return not mine.suite
    if mine.kinds == {"slim"}:
        return theirs.suite == mine.suite
    return theirs.suite in ("", mine.suite)


def is_slim(reference: str) -> bool:
    """Whether the name of a base says that it is slim itself: `python:3.7-slim`,
    `alpine:3.24`, `distroless/static:latest`."""
    repository, _, tag = reference.rpartition(":")
    return any(tag_parts(part).kinds for part in (tag, *repository.split("/")))


def names_a_version(tag: str) -> bool:
    """Whether a tag means the same version for ever: `3.7` and `stretch`, but not
    `latest` or `lts`."""
    return bool(tag_parts(tag).suite) or re.search(r"\d", tag) is not None


def best_variants(tags: Iterable[str], full: str) -> list[str]:
    """Of each sort of variant the tag with the shortest name: `3.7-alpine` before
    `3.7-alpine3.17`."""
    found: dict[frozenset[VariantKind], str] = {}
    for tag in sorted(tags, key=lambda tag: (len(tag), tag)):
        if is_variant(tag, full):
            found.setdefault(tag_parts(tag).kinds, tag)
    return list(found.values())


def caution_of(kind: VariantKind, base: str) -> str:
    """What to check before the variant takes the place of `base`."""
    is_debian = kind == "slim" and _DEBIAN.search(base)
    return _SLIM_DEBIAN if is_debian else _CAUTIONS[kind]
