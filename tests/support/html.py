"""A page as a tree, by the standard library's parser: enough to read it in a test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "input", "br", "wbr", "img", "hr"}
_BLOCKS = {"p", "div", "dt", "dd", "li", "td", "th", "tr"}
"""A browser begins these on a place of their own."""


@dataclass(slots=True)
class Element:
    """One element; `parts` are its texts and children in order."""

    tag: str
    attributes: dict[str, str]
    parts: list["Element | str"] = field(default_factory=list)

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    @property
    def text(self) -> str:
        """All text below, blanks folded."""
        return " ".join("".join(self._texts()).split())

    def all(self, tag: str = "", css: str = "") -> list["Element"]:
        """Descendants of this tag and with this class, in document order."""
        return [
            element
            for element in self._below()
            if tag in ("", element.tag) and (not css or css in element.classes)
        ]

    def one(self, tag: str = "", css: str = "") -> "Element":
        """The only such descendant."""
        (found,) = self.all(tag, css)
        return found

    def by_id(self, name: str) -> "Element":
        """The element with this id, which must be the only one."""
        (found,) = [e for e in self._below() if e.attributes.get("id") == name]
        return found

    def amounts(self) -> list[int]:
        """The bytes of every <data> below."""
        return [int(data.attributes["value"]) for data in self.all("data")]

    def _below(self) -> Iterator["Element"]:
        for part in self.parts:
            if isinstance(part, Element):
                yield part
                yield from part._below()

    def _texts(self) -> Iterator[str]:
        for part in self.parts:
            if isinstance(part, str):
                yield part
            elif part.tag in _BLOCKS:
                yield from (" ", *part._texts(), " ")
            else:
                yield from part._texts()


def parse(html: str) -> Element:
    """The page's root; every element that was opened must have been closed."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert len(parser.stack) == 1, [element.tag for element in parser.stack]
    return parser.stack[0]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.stack[-1].parts.append(element)
        if tag not in _VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.stack[-1].parts.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack[-1].tag == tag, (tag, self.stack[-1].tag)
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        self.stack[-1].parts.append(data)
