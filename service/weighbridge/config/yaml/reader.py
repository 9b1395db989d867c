"""Reads YAML into nodes that know their lines, and constructs nothing else.

Scalars follow the core schema of YAML 1.2 (10.3.2): `no` and `12:30` are texts. No
tag is obeyed, no key may be repeated, and aliases are kept as shared nodes, so that
a small file cannot grow while it is read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import yaml
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


def mappings(value: Plain) -> Iterator[tuple[int, dict[str, Plain]]]:
    """Those in a list of them, each with its number; whatever else stands there is left
    to its own check."""
    for number, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, dict):
            yield number, entry


DOCUMENT_BYTES: Final = 1024 * 1024
DEPTH: Final = 32

_NULL: Final = re.compile(r"~|null|Null|NULL|")
_BOOL: Final = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INT: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40})?)(?:[eE][-+]?[0-9]{1,2})?"
)
_UNENDED: Final = re.compile("end of stream|stream end")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def read_document(raw: bytes) -> Document:
    """The nodes of one YAML document, with every fault that does not stop it."""
    if len(raw) > DOCUMENT_BYTES:
        return _stopped(1, "is larger than 1 MiB", "too_large")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        return _stopped(line, "is not UTF-8 text", "invalid_yaml")
    try:
        return _Composer(text).document()
    except _Stop as exc:
        return Document(None, (exc.fault,))
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        return _stopped(line, "holds a control character", "invalid_yaml")
    except yaml.MarkedYAMLError as exc:
        return _stopped(_line_of(exc), _in_words(exc.problem or ""), "invalid_yaml")
    except (ValueError, OverflowError, RecursionError):
        # PyYAML lets them through for escapes such as "\UFFFFFFFF".
        return _stopped(1, "holds an escape that is no character", "invalid_yaml")


def _stopped(line: int, message: str, code: str) -> Document:
    return Document(None, (DocumentFault(line, (), message, code),))


def _line_of(error: yaml.MarkedYAMLError) -> int:
    """Where it went wrong; for what never ends, where that was opened."""
    is_unended = _UNENDED.search(error.problem or "") is not None
    mark = error.context_mark if is_unended else error.problem_mark
    mark = mark or error.problem_mark or error.context_mark
    return 1 if mark is None else mark.line + 1


def _in_words(problem: str) -> str:
    """What PyYAML found, without the text that it quotes."""
    if "'\\t'" in problem or "tab" in problem:
        return "a tab cannot indent: use spaces"
    if "cannot start any token" in problem:
        return "a value that starts with a special character needs quotes"
    if "mapping values are not allowed" in problem:
        return "a colon that is not expected here: check the indentation, or quote it"
    if _UNENDED.search(problem):
        return "a bracket or a quoted text that never ends"
    if "block end" in problem:
        return "the indentation does not fit the lines above"
    return "is not YAML: check brackets, quotes and indentation here"


class _Stop(Exception):
    def __init__(self, line: int, path: Path, message: str, code: str) -> None:
        super().__init__(message)
        self.fault = DocumentFault(line, path, message, code)


@dataclass(slots=True)
class _Composer:
    """Builds nodes from PyYAML's events, which know no objects yet."""

    text: str
    anchors: dict[str, Node] = field(default_factory=dict)
    faults: list[DocumentFault] = field(default_factory=list)
    events: Iterator[yaml.Event] = field(init=False)

    def __post_init__(self) -> None:
        self.events = iter(yaml.parse(self.text, Loader=yaml.SafeLoader))

    def document(self) -> Document:
        root: Node | None = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Stop(
                        _line(event), (), "is a second document", "invalid_yaml"
                    )
                root = self._node(next(self.events), ())
        if isinstance(root, Scalar) and root.value is None:
            root = None
        return Document(root, tuple(self.faults))

    def _node(self, event: yaml.Event, path: Path) -> Node:
        if len(path) > DEPTH:
            raise _Stop(_line(event), (), "is nested too deeply", "too_large")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        assert isinstance(  # noqa: S101 - the parser's grammar leaves no other event
            event, yaml.ScalarEvent | yaml.CollectionStartEvent
        )
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._fault(event, path, "tags (!) are not read: write it plainly")
        node = self._built(event, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _built(
        self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, path: Path
    ) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, path)
        items: list[Node] = []
        for item in self.events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            items.append(self._node(item, (*path, len(items))))
        return Listing(_line(event), tuple(items))

    def _alias(self, event: yaml.AliasEvent, path: Path) -> Node:
        node = self.anchors.get(event.anchor or "")
        if node is None:
            self._fault(
                event,
                path,
                "an alias (*) without its anchor: quote a value that starts with *",
                "invalid_yaml",
            )
            return Scalar(_line(event), None)
        return node

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Scalar:
        if _SURROGATE.search(event.value):
            self._fault(event, path, "holds half a character", "invalid_yaml")
            return Scalar(_line(event), None)
        is_plain = event.implicit[0] and event.tag is None
        value = _core_schema(event.value) if is_plain else event.value
        return Scalar(_line(event), value)

    def _mapping(self, event: yaml.MappingStartEvent, path: Path) -> Mapping:
        mapping = Mapping(_line(event), {}, {})
        for key in self.events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            if not isinstance(key, yaml.ScalarEvent):
                raise _Stop(_line(key), path, "a key must be a text", "invalid_yaml")
            name = key.value
            node = self._node(next(self.events), (*path, name))
            if name in mapping.items:
                first = mapping.lines[name]
                self._fault(
                    key,
                    (*path, name),
                    f"is repeated: it stands in line {first} too",
                    "duplicate_key",
                )
            else:
                mapping.items[name] = node
                mapping.lines[name] = _line(key)
        return mapping

    def _fault(
        self, event: yaml.Event, path: Path, message: str, code: str = "unsafe_yaml"
    ) -> None:
        self.faults.append(DocumentFault(_line(event), path, message, code))


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return 1 if mark is None else mark.line + 1


def _core_schema(text: str) -> bool | int | float | str | None:
    if _NULL.fullmatch(text):
        return None
    if boolean := _BOOL.fullmatch(text):
        return boolean[1] is not None
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
