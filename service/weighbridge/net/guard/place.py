"""The place of one registry at its host: what its credential may be shown to. Several
registries of one host are told apart by the beginnings of their paths."""

from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from weighbridge.net.guard.addresses import Address

_DECODINGS: Final = 3
"""A server and the proxies before it may each undo one escaping of a path."""


class Place(Struct, frozen=True):
    """origin: scheme, host and port
    prefix: what its paths begin with, "" for all of the host
    others: prefixes of other registries at this origin
    """

    origin: tuple[str, str, int]
    prefix: str = ""
    others: frozenset[str] = frozenset()

    def holds(self, address: Address) -> bool:
        """Whether this address is the registry's own."""
        return address.origin == self.origin and self.holds_path(address.target)

    def holds_path(self, target: bytes) -> bool:
        """The same of a path at its host. target: with the query or without"""
        return self._owner(target) == self.prefix

    def is_of_another(self, target: bytes) -> bool:
        """Whether it is the place of another registry, of those that have a prefix, or
        a server may take it for that."""
        owner = self._owner(target)
        return owner in self.others or (owner is None and bool(self.others))

    def _owner(self, target: bytes) -> str | None:
        """The longest prefix that the path has; None: it is nobody's. What a server may
        read as another path than it looks like is nobody's, where prefixes count."""
        if not self.prefix and not self.others:
            return ""
        path = target.decode("ascii", "replace").partition("?")[0]
        prefixes = {self.prefix, *self.others} - {""}
        if is_ambiguous(path):
            return None
        found = [p for p in prefixes if path == p or path.startswith(f"{p}/")]
        return max(found, key=len, default="")


def is_ambiguous(path: str) -> bool:
    """Whether a server may take this path for another one: parts that climb (`..`),
    also when they are escaped, once or again; what some read as the end of a part (`;`,
    a backslash); and empty parts, which many leave out."""
    for _ in range(_DECODINGS):
        decoded = unquote(path)
        parts = decoded.replace("\\", "/").split("/")
        if "" in parts[1:-1] or not {".", ".."}.isdisjoint(
            part.partition(";")[0] for part in parts
        ):
            return True
        if decoded == path:
            return "\\" in path or ";" in path
        if decoded.count("/") != path.count("/"):
            return True
        path = decoded
    return True
