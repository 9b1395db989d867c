"""The shape of a made-up fleet: which tag of which repository names which image.

All of it is arithmetic on numbers, so that a million tags take no more room than ten.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, overload

_ALIASES: Final = ("build-", "release-", "stable-")
"""An image's first, second and third tag; in this order in a listing, so that an
image's tags are far apart there."""
_NAME: Final = re.compile(r"team(\d{3})/app(\d{5})")
_TAG: Final = re.compile(r"([a-z]+-)(\d{7})")
_TEAM: Final = 100
"""Repositories of one project."""
GROUP: Final = 8
"""Images in a row that have the repository's layers in common."""
ERA: Final = 64
"""Images in a row that start from the same base."""


@dataclass(frozen=True)
class Fleet:
    """How much there is.

    tags:           of the whole registry
    largest:        of them, in the first repository; the others share the rest
    tags_per_image: images have 1, 2, ... this many (at most 3) tags by turns
    bases:          that the whole registry starts from, four layers each
    copy_every:     each so many-th repository has the images of the one before, as
                    where images are promoted by copying; 0: none has
    """

    repositories: int = 10_000
    tags: int = 1_000_000
    largest: int = 100_000
    tags_per_image: int = 3
    bases: int = 12
    copy_every: int = 25

    def __post_init__(self) -> None:
        if not 1 <= self.repositories <= 100_000 or self.bases < 1:
            raise ValueError("1 to 100,000 repositories, at least one base")
        if not 1 <= self.tags_per_image <= len(_ALIASES):
            raise ValueError("1 to 3 tags an image")
        if not 0 <= self.largest <= self.tags or self.copy_every == 1:
            raise ValueError("more tags than there are, or nothing but copies")
        if self.repositories == 1 and self.largest != self.tags:
            raise ValueError("one repository has all tags")

    @cached_property
    def names(self) -> Sequence[str]:
        """All repositories, sorted; computed name by name."""
        return _Names(self.repositories)

    def number(self, name: str) -> int | None:
        """Of a repository; None for a name that is none."""
        found = _NAME.fullmatch(name)
        if found is None or len(name) != len(repository_name(0)):
            return None
        number = int(found[2])
        is_here = number < self.repositories and repository_name(number) == name
        return number if is_here else None

    def tag_count(self, repository: int) -> int:
        if repository == 0:
            return self.largest
        each, more = divmod(self.tags - self.largest, self.repositories - 1)
        return each + (repository <= more)

    def origin(self, repository: int) -> int:
        """The repository whose images it has: itself, unless it is a copy."""
        every = self.copy_every
        return repository - (bool(every) and repository % every == every - 1)

    def copy_of(self, repository: int) -> int | None:
        """The other repository with the same images, if there is one."""
        origin = self.origin(repository)
        if origin != repository:
            return origin
        following = repository + 1
        is_copied = following < self.repositories and (
            self.origin(following) == repository
        )
        return following if is_copied else None

    def tags_of(self, repository: int) -> "Tags":
        return Tags(self.tag_count(repository), self.tags_per_image)


class Tags(Sequence[str]):
    """A repository's tags, sorted, each computed when it is asked for.

    Image i has 1 + i % most tags; the last image may have fewer.
    """

    def __init__(self, count: int, most: int) -> None:
        self._count = count
        self._most = most
        cycles, rest = divmod(count, most * (most + 1) // 2)
        self._by_alias = [cycles * (most - alias) for alias in range(most)]
        image = 0
        while rest:
            for alias in range(min(image + 1, rest)):
                self._by_alias[alias] += 1
            rest -= min(image + 1, rest)
            image += 1

    @property
    def images(self) -> int:
        """Numbered from 0; each has a first tag."""
        return self._by_alias[0] if self._count else 0

    def tags_of_image(self, image: int) -> int:
        """How many tags name it."""
        return sum(
            image % self._most >= alias and self._place(alias, image) < count
            for alias, count in enumerate(self._by_alias)
        )

    def find_image(self, tag: str) -> int | None:
        """The image that a tag names; None for a tag that is none of these."""
        found = _TAG.fullmatch(tag)
        if found is None or found[1] not in _ALIASES[: self._most]:
            return None
        alias, image = _ALIASES.index(found[1]), int(found[2])
        is_here = image % self._most >= alias and (
            self._place(alias, image) < self._by_alias[alias]
        )
        return image if is_here and tag == _tag(alias, image) else None

    def _place(self, alias: int, image: int) -> int:
        """Among the images that have this alias."""
        cycle, at = divmod(image, self._most)
        return cycle * (self._most - alias) + at - alias

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._name(place) for place in range(*at.indices(self._count))]
        if not 0 <= at < self._count:
            raise IndexError(at)
        return self._name(at)

    def _name(self, place: int) -> str:
        alias = 0
        while place >= self._by_alias[alias]:
            place -= self._by_alias[alias]
            alias += 1
        cycle, at = divmod(place, self._most - alias)
        return _tag(alias, cycle * self._most + alias + at)


class _Names(Sequence[str]):
    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [repository_name(n) for n in range(*at.indices(self._count))]
        if not 0 <= at < self._count:
            raise IndexError(at)
        return repository_name(at)


def repository_name(number: int) -> str:
    """`team012/app01234`: in the order of the numbers, a hundred to a team."""
    return f"team{number // _TEAM:03d}/app{number:05d}"


def _tag(alias: int, image: int) -> str:
    return f"{_ALIASES[alias]}{image:07d}"
