"""Addresses of one page in its other states: every state can be pasted elsewhere."""

from collections.abc import Mapping
from urllib.parse import urlencode

from msgspec import Struct


class Links(Struct, frozen=True):
    """Addresses are relative, so that no Host header ends up in one.

    state: the parameters of the page that is shown; None leaves one out
    """

    path: str
    state: Mapping[str, str | None]

    def to(self, **changes: str | None) -> str:
        """The page with these parameters changed."""
        return f"{self.path}{self.query(**changes)}"

    def query(self, **changes: str | None) -> str:
        """The same parameters for another path, with their question mark."""
        wanted = {**self.state, **changes}
        query = urlencode({k: v for k, v in wanted.items() if v is not None})
        return f"?{query}" if query else ""

    def sorted_by(self, column: str) -> str:
        """By this column; by its other direction if it is the one sorted by."""
        return self.to(sort=column, order=self._order(column))

    def of_registry(self, name: str) -> str:
        """Of one registry, "" for all, with nothing filtered."""
        return self.to(registry=name or None, q=None, violating=None)

    def _order(self, column: str) -> str:
        if column == self.state.get("sort"):
            return "asc" if self.state.get("order") == "desc" else "desc"
        # Names are read from A, amounts from the largest.
        return "asc" if column == "name" else "desc"
