"""The official images of January 2018 as the replica's content."""

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from support.replica.dataset import DatasetContent
from support.replica.records import recorded

SOURCE: Final = "repo-info-2018"


def official_images(pattern: str = "*") -> DatasetContent:
    """Those whose one-word names the pattern fits, in `library/`. Skips the test where
    the data set is absent."""
    return DatasetContent(
        [
            replace(record, repository=record.repository.replace(SOURCE, "library", 1))
            for record in recorded()
            if fnmatchcase(record.repository, f"{SOURCE}/{pattern}")
        ]
    )
