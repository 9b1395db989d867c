"""The examples that the pages print are what the command line prints."""

import re
from pathlib import Path
from typing import Final

from support.demo_weighing import DEMO, demo_weighing
from weighbridge.presentation.forms.screen import Screen, columns
from weighbridge.presentation.image.weighing_table import render_inspect

ROOT: Final = Path(__file__).parents[3]
HELLO: Final = "tutorial/hello"
_LINES: Final = re.MULTILINE | re.DOTALL


def example(page: str) -> str:
    """What stands below the page's first `inspect` of the tutorial's image."""
    text = (ROOT / page).read_text(encoding="utf-8")
    prompt = re.escape(f"$ weighbridge inspect {DEMO}/{HELLO}\n")
    found = re.search(rf"^{prompt}(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_readme_shows_what_a_terminal_prints() -> None:
    printed = render_inspect(demo_weighing(HELLO), Screen(width=100))

    assert example("README.md") == printed
    assert 95 < max(map(columns, printed.splitlines())) <= 100


def test_the_page_on_sizes_shows_lines_of_what_is_printed() -> None:
    text = (ROOT / "docs/sizes-explained.md").read_text(encoding="utf-8")
    shown = re.findall(
        rf"^\$ weighbridge inspect {DEMO}/(\S+)\n((?:[^$`\n].*\n)+)", text, re.MULTILINE
    )

    assert [name for name, _ in shown] == [HELLO, f"{HELLO}-alpine"]
    for name, part in shown:
        printed = render_inspect(demo_weighing(name), Screen(width=110))
        lines = (re.escape(line) for line in part.splitlines() if line != "...")
        assert re.search("\n.*".join(f"^{line}$" for line in lines), printed, _LINES)
