"""The fenced blocks of the pages of docs/, each with the test that runs it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

DOCS: Final = Path(__file__).parents[2] / "docs"
Runner: TypeAlias = Literal["usage", "console", "json", "yaml", "promql", "sql"]

PAGES: Final = (
    "bases-and-savings.md",
    "commands.md",
    "configuration.md",
    "history-and-compare.md",
    "metrics.md",
    "reclaim.md",
)
"""Pages of which no block is without a test."""
_RUNNERS: Final[dict[str, Runner]] = {
    "": "usage",
    "console": "console",
    "json": "json",
    "promql": "promql",
    "sql": "sql",
    "yaml": "yaml",
}
_FENCED: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """
    line:    of its fence in the page
    heading: of the section that it is in
    before:  the page up to it
    """

    page: str
    line: int
    language: str
    text: str
    heading: str
    before: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runner(self) -> Runner | None:
        """Which test runs it; None where there is none for its language."""
        return _RUNNERS.get(self.language)


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page, in its order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text.count("\n```") == 2 * len(_FENCED.findall(text)), page
    return [
        Block(
            page,
            text.count("\n", 0, found.start()) + 1,
            found[1],
            found[2],
            ["", *_HEADING.findall(text, 0, found.start())][-1],
            text[: found.start()],
        )
        for found in _FENCED.finditer(text)
    ]


def blocks_for(runner: Runner) -> list[Block]:
    """The blocks of all pages that a test has to run."""
    return [b for page in PAGES for b in blocks_of(page) if b.runner == runner]
