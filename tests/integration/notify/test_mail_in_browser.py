"""The HTML of an e-mail in a real browser: nothing runs and nothing is fetched."""

from pathlib import Path

from support.browser import a_browser
from support.tolds import HOSTILE, a_message, hostile_message
from weighbridge.domain.text.printable import printable
from weighbridge.notify.channels.email.notifier import html_of
from weighbridge.notify.render.content import LINE_CHARACTERS, content_of


def test_whatever_was_pushed_is_text_on_the_page(tmp_path: Path) -> None:
    items = [told for text in HOSTILE for told in hostile_message(text).items]
    page = tmp_path / "mail.html"
    page.write_text(html_of(content_of(a_message(*items))), encoding="utf-8")

    with a_browser(tmp_path / "profile") as browser:
        seen = browser.open(page.as_uri(), width=390)

        shown = browser.value("document.body.textContent")
        width = browser.value("document.documentElement.scrollWidth")
        scripts = browser.value("document.querySelectorAll('script,img,iframe').length")
    assert (seen.dialogs, seen.complaints, scripts) == ([], [], 0)
    assert seen.requests == [page.as_uri()]
    # A telephone shows it whole.
    assert width == 390
    assert all(printable(t, LINE_CHARACTERS) in str(shown) for t in HOSTILE)
