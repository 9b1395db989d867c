"""What happens to the recorded images between two crawls: the same each time."""

from collections.abc import Sequence
from typing import Final

from support.replica.changes import Change
from support.replica.dataset import DatasetContent

_MANY: Final = 12
"""A repository that loses more than half of so many tags must lose them twice."""


def changes(content: DatasetContent) -> list[list[Change]]:
    """For each crawl what happens before it: nothing; tags move, come and go; nothing,
    so that what was held is removed; tags move once more, and a repository goes."""
    names = content.repositories()
    return [[], _first(content, names), [], _second(content, names)]


def _first(content: DatasetContent, names: Sequence[str]) -> list[Change]:
    made: list[Change] = []
    for number, name in enumerate(names):
        tags = content.tags(name) or ()
        if len(tags) > _MANY and number % 10 == 0:
            made += [Change(name, tag) for tag in tags[: len(tags) * 3 // 4]]
        elif len(tags) > 2:
            if number % 3 == 0:
                made.append(Change(name, tags[-1], tags[0]))
            if number % 5 == 0:
                made.append(Change(name, tags[1]))
            if number % 7 == 0:
                made.append(Change(name, "new", tags[-2]))
    return made


def _second(content: DatasetContent, names: Sequence[str]) -> list[Change]:
    made: list[Change] = []
    for number, name in enumerate(names):
        tags = content.tags(name) or ()
        if number % 3 == 0 and len(tags) > 2 and (number % 10 or len(tags) <= _MANY):
            made.append(Change(name, tags[-1], tags[-2]))
    return [*made, Change(names[1])]
