"""Texts without what differs between two runs that did the same."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

_MARGIN: Final = timedelta(hours=6)
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
)
_EPOCH: Final = re.compile(r"(?<=[ ,:\[])1[6-9]\d{8}(?:\d{6})?(?:\.\d+)?\b")
_NUMBERS: Final = frozenset(
    {
        "id",
        "revision",
        "age_seconds",
        "seconds",
        "requests",
        "bytes_read",
        "url",
        "next_cursor",
    }
)
"""Keys of JSON that say how, when and where; what was asked is in `costs`."""


class Plain:
    """Of a run that began now; the facts of the recorded images are years older."""

    def __init__(self) -> None:
        self._since = datetime.now(UTC) - _MARGIN

    def value(self, value: object) -> str:
        """Of a column."""
        if isinstance(value, datetime):
            return "<run>" if value >= self._since else value.isoformat()
        if isinstance(value, bytes):
            return value.hex()
        return self.text(str(value)).replace("\n", "\\n")

    def text(self, text: str) -> str:
        """With `<run>` for each time since this run began, and for later ones."""
        return _EPOCH.sub(self._epoch, _MOMENT.sub(self._moment, text))

    def json(self, document: JSON) -> str:
        """One line; keys sorted, without those that differ."""
        cleaned = self._cleaned(document)
        return self.text(json.dumps(cleaned, sort_keys=True, ensure_ascii=False))

    def unordered(self, document: JSON) -> str:
        """The same with every list sorted: where their order is chance."""
        return self.json(_sorted(document))

    def csv(self, text: str) -> str:
        """Without the columns that differ; other lines beside the table stay."""
        rows = list(csv.reader(io.StringIO(text)))
        kept = [n for n, name in enumerate(rows[0]) if name not in _NUMBERS]
        out = io.StringIO()
        lines = ([row[n] for n in kept if n < len(row)] for row in rows)
        csv.writer(out, lineterminator="\n").writerows(lines)
        return self.text(out.getvalue())

    def _cleaned(self, document: JSON) -> JSON:
        if isinstance(document, dict):
            return {
                key: self._cleaned(value)
                for key, value in document.items()
                if key not in _NUMBERS
            }
        if isinstance(document, list):
            return [self._cleaned(item) for item in document]
        return document

    def _moment(self, found: re.Match[str]) -> str:
        moment = datetime.fromisoformat(found[0].replace("Z", "+00:00"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return "<run>" if moment >= self._since else found[0]

    def _epoch(self, found: re.Match[str]) -> str:
        number = float(found[0])
        number = number / 1e6 if number > 1e12 else number
        return "<run>" if number >= self._since.timestamp() else found[0]


def _sorted(document: JSON) -> JSON:
    if isinstance(document, dict):
        return {key: _sorted(value) for key, value in document.items()}
    if isinstance(document, list):
        found = [_sorted(item) for item in document]
        return sorted(found, key=lambda item: json.dumps(item, sort_keys=True))
    return document
