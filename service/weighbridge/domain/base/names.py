"""What a base is called: which of its many tags people write in FROM.

A build of `debian:stretch` is `9`, `9.3`, `latest`, `stretch` and `stretch-20171210` at
once. The name that is shown is one that lasts: it leads to the next build too, and says
what it leads to.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from weighbridge.domain.image.reference import DOCKER_HUB, Reference

_DATE: Final = re.compile(r"(?:^|[._-])(?:19|20)\d{2}[._-]?[01]\d[._-]?[0-3]\d(?=$|\D)")
# A commit or a digest: a part of seven or more hexadecimal digits with both kinds.
_COMMIT: Final = re.compile(
    r"(?:^|[._-])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}(?=$|[._-])"
)
# `3.6.4`, `18.3.4.7`, `1.10rc1`, `8u151`: a version that nothing follows.
_FULL: Final = re.compile(r"\d+\.\d+\.\d+|\d+u\d+|\d(?:rc|beta|alpha)\.?\d")
_MINOR: Final = re.compile(r"v?\d+\.\d+(?!\d|\.)")
_VERSION: Final = re.compile(r"v?\d")
_LATEST: Final = "latest"
_ALSO: Final = 50
_LONG: Final = 0.5
"""A name is one that lasts if it led there for half as long as any that is as good."""


class BaseName(Struct, frozen=True):
    """A tag that leads to a base, or led there.

    host:    `docker.io`, as it is written in FROM
    left_at: when it moved on; None: it leads there now
    """

    host: str
    repository: str
    tag: str
    first_seen_at: datetime
    left_at: datetime | None = None

    @property
    def reference(self) -> str:
        return written(self.host, self.repository, self.tag)

    def lasted(self, now: datetime) -> timedelta:
        """How long it led there."""
        return max((self.left_at or now) - self.first_seen_at, timedelta())


def written(host: str, repository: str, tag: str) -> str:
    """A reference as people write it in FROM: without Docker Hub's host, of which
    `library/` is left, so that `library/debian` is never another host's `debian`."""
    name = repository if host == DOCKER_HUB else f"{host}/{repository}"
    return f"{name}:{tag}"


def name_in_from(reference: str) -> str:
    """`library/python:3.7` is written `python:3.7`."""
    return reference.removeprefix("library/")


def annotated_text(name: Reference) -> str:
    """The same of what an annotation says."""
    if name.tag is not None:
        return written(name.registry, name.repository, name.tag)
    return f"{written(name.registry, name.repository, '').rstrip(':')}@{name.digest}"


def choose_names(
    names: Iterable[BaseName], now: datetime
) -> tuple[str, tuple[str, ...]] | None:
    """The name by which a base is known, and the others, sorted, fifty at most. None:
    there is no name.

    1. Of several repositories the one that is Docker Hub's `library/`, then Docker
       Hub's, then the one that was seen first.
    2. Of its tags one that is no date, no commit and not `latest`, nor a shorter form
       of another (`scm` of `stretch-scm`), then no full version (`3.6.4`).
    3. Of those one that led there long.
    4. Then one that the publisher himself dates (`stretch`, where `stretch-20171210`
       is there too); a word where no tag is a full version (`stretch`, not `9`), else a
       version; one with a minor number (`3.6`, not `3`); the shortest.
    """
    every = sorted(set(names), key=lambda name: (name.reference, name.first_seen_at))
    if not every:
        return None
    own = _of_repository(every)
    chosen = min(own, key=_Rank(own, now))
    others = {name.reference for name in every} - {chosen.reference}
    return chosen.reference, tuple(sorted(others)[:_ALSO])


def _of_repository(every: Sequence[BaseName]) -> list[BaseName]:
    """The names in the repository that counts as the base's own."""
    first = min(
        every,
        key=lambda name: (
            name.host != DOCKER_HUB or not name.repository.startswith("library/"),
            name.host != DOCKER_HUB,
            name.first_seen_at,
            name.reference,
        ),
    )
    home = (first.host, first.repository)
    return [name for name in every if (name.host, name.repository) == home]


class _Rank:
    """Compares the tags of one repository that lead to one base."""

    def __init__(self, names: Sequence[BaseName], now: datetime) -> None:
        self._now = now
        tags = {name.tag for name in names}
        self._is_versioned = any(_FULL.search(tag) for tag in tags)
        # Thousands of tags may lead to one base: each is looked at once.
        parts = [(tag, n) for tag in tags for n, sign in enumerate(tag) if sign == "-"]
        self._ends = {tag[n + 1 :] for tag, n in parts}
        self._dated = {tag[:n] for tag, n in parts if _DATE.match(tag[n:])}
        self._longest: dict[int, timedelta] = {}
        for name in names:
            kind = self._kind(name.tag)
            longest = self._longest.get(kind, timedelta())
            self._longest[kind] = max(longest, name.lasted(now))

    def __call__(self, name: BaseName) -> tuple[object, ...]:
        tag = name.tag
        kind = self._kind(tag)
        is_version = _VERSION.match(tag) is not None
        return (
            kind,
            name.lasted(self._now) < self._longest[kind] * _LONG,
            tag not in self._dated,
            is_version != self._is_versioned,
            _MINOR.match(tag) is None,
            len(tag),
            tag,
            name.first_seen_at,
        )

    def _kind(self, tag: str) -> int:
        if _DATE.search(tag) or _COMMIT.search(tag):
            return 3
        if tag == _LATEST or tag in self._ends:
            return 2
        return 1 if _FULL.search(tag) else 0
