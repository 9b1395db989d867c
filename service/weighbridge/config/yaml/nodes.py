"""A YAML document as nodes that know their lines."""

from typing import Final, TypeAlias

from msgspec import Struct

VALUES: Final = 200_000
"""How many values a file may come to with every alias written out."""

Path: TypeAlias = tuple[str | int, ...]
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
"""JSON's values."""


class DocumentFault(Struct, frozen=True):
    """What is wrong with the YAML itself. Never quotes a value: an unquoted
    password that starts with `*`, `!` or `&` lands here."""

    line: int
    path: Path
    message: str
    code: str


class Scalar(Struct, frozen=True):
    line: int
    value: bool | int | float | str | None


class Listing(Struct, frozen=True):
    line: int
    items: tuple["Node", ...]


class Mapping(Struct, frozen=True):
    """`lines` are those of the keys."""

    line: int
    items: dict[str, "Node"]
    lines: dict[str, int]


Node: TypeAlias = Scalar | Listing | Mapping


class Document(Struct, frozen=True):
    """`root` is None where the file is empty or no YAML."""

    root: Node | None
    faults: tuple[DocumentFault, ...]


def plain(root: Node) -> Plain:
    """The document as JSON's values. Raises OverflowError above `VALUES` of them,
    which only aliases of aliases can reach."""
    left = VALUES

    def expand(node: Node) -> Plain:
        nonlocal left
        left -= 1
        if left < 0:
            raise OverflowError
        if isinstance(node, Scalar):
            return node.value
        if isinstance(node, Listing):
            return [expand(item) for item in node.items]
        return {key: expand(item) for key, item in node.items.items()}

    return expand(root)


def line_of(root: Node, path: Path) -> int:
    """The line where this path, or the nearest part of it that exists, stands."""
    node, line = root, root.line
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.items:
            line, node = node.lines[step], node.items[step]
        elif (
            isinstance(node, Listing)
            and isinstance(step, int)
            and step < len(node.items)
        ):
            node = node.items[step]
            line = node.line
        else:
            break
    return line
