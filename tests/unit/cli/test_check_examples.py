"""The examples of `check` on the pages are what it prints."""

import re
from pathlib import Path
from typing import Final

from support.demo_checks import demo_check
from weighbridge.domain.check.image_check import ImageCheck
from weighbridge.domain.size.weighing import WeighingCost
from weighbridge.presentation.check.csv_json_markdown import check_markdown

DOCS: Final = Path(__file__).parents[3] / "docs"


def the_example() -> ImageCheck:
    return demo_check(
        "shop/api:1.5.0",
        WeighingCost(23, 21_700, 0.09),
        "shop/api:1.4",
        max_compressed=500_000_000,
        max_growth=0.1,
    )


def test_the_page_about_ci_shows_the_markdown_that_is_posted() -> None:
    text = (DOCS / "ci.md").read_text(encoding="utf-8")
    found = re.search(r"^```markdown\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)

    assert found is not None
    assert found[1] == check_markdown(the_example())
