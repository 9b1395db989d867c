"""axe-core, which looks for what keeps people from using a page."""

import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from support.browser import Browser

_CARRIER: Final = "axe-playwright-python"
"""Its own code, which wants another browser, is not used."""
OF_COLOURS: Final = ("color-contrast", "link-in-text-block")
"""The rules whose result may be another one in a theme of other colours."""
_RUN: Final = """
axe.run({resultTypes: ["violations"], ...%s}).then((found) => found.violations
  .filter((rule) => ["serious", "critical"].includes(rule.impact))
  .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}`)))
"""


@cache
def _source() -> str:
    file = distribution(_CARRIER).locate_file("axe_playwright_python/axe.min.js")
    return Path(str(file)).read_text(encoding="utf-8")


def faults_of(browser: Browser, rules: Sequence[str] = ()) -> list[str]:
    """What axe calls serious or critical in the page that is open, by these rules; by
    all, where none is named."""
    browser.value(f"{_source()};null")
    found = browser.value(_RUN % json.dumps({"runOnly": rules} if rules else {}))
    assert isinstance(found, list)
    return found
