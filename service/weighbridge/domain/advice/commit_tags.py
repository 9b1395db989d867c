"""Tags of a repository that are builds of one commit."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from weighbridge.domain.advice.own_lines import Advice
from weighbridge.domain.image.digest import Digest

MANY_BUILDS: Final = 3
"""From so many different images on it is worth saying."""
_SHOWN: Final = 20

_COMMIT: Final = re.compile(
    r"(?<![A-Za-z0-9])g?([0-9a-f]{7,40})(?![A-Za-z0-9])", re.ASCII
)


def commit_of(tag: str) -> str | None:
    """The commit that a tag is named after: 7 to 40 hexadecimal digits that stand
    alone, or behind the `g` of `git describe`. Some of them are digits and some are
    letters: a date or a word is no commit."""
    for found in _COMMIT.finditer(tag):
        text = found[1]
        if not text.isdigit() and not text.isalpha():
            return text
    return None


def commit_tags(tag: str | None, tags: Mapping[str, Digest]) -> Iterator[Advice]:
    """Where tags of the commit of `tag` point to many different images.

    tags: of its repository, each with what it points to; aliases cost nothing
    """
    commit = None if tag is None else commit_of(tag)
    if commit is None:
        return
    of_commit = {
        name: digest for name, digest in tags.items() if commit_of(name) == commit
    }
    images = len(set(of_commit.values()))
    if images < MANY_BUILDS:
        return
    yield Advice(
        "commit_tags",
        f"{len(of_commit)} tags are builds of the commit {commit}, {images} different "
        "images: keep the last one, or let the build of a commit always give the same.",
        None,
        False,
        "weighbridge reclaim shows what deleting the others frees",
        tags=tuple(sorted(of_commit)[:_SHOWN]),
    )
