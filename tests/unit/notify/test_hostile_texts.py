"""Whatever a stranger pushes is shown as plain text in every medium, and is bounded."""

import html
import json
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

from hypothesis import example, given, settings

from support.tolds import HOSTILE, NOW, URL, hostile_message, hostile_texts
from weighbridge.domain.message.grouping import Message
from weighbridge.domain.text.printable import printable
from weighbridge.notify.channels.alertmanager.notifier import alerts_of
from weighbridge.notify.channels.email import notifier as mail
from weighbridge.notify.channels.slack import payload as slack
from weighbridge.notify.channels.teams import payload as teams
from weighbridge.notify.channels.webhook import notifier as webhook
from weighbridge.notify.render.content import (
    LINE_CHARACTERS,
    TEXT_CHARACTERS,
    content_of,
    plain_text,
)

_LINK = f"<{URL}|Open in Weighbridge>"
_SPAN = re.compile(r"`([^`\n]+)`")


def line_of(text: str) -> str:
    """The text as the line of an image shows it."""
    return printable(text, LINE_CHARACTERS) or "(no line)"


def texts_in(value: object) -> list[str]:
    """Every text of a JSON value."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts_in(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in texts_in(inner)]
    return [value] if isinstance(value, str) else []


@given(hostile_texts)
@example(HOSTILE[2])
def test_the_plain_text_is_printable_in_every_line(text: str) -> None:
    shown = plain_text(content_of(hostile_message(text)))

    assert all(line == printable(line) for line in shown.splitlines())
    assert f": {line_of(text)}\n" in shown


@given(hostile_texts)
@example(HOSTILE[2])
@example(HOSTILE[13])
@example(HOSTILE[14])
def test_slack_reads_no_mark_up_in_it(text: str) -> None:
    payload = slack.slack_payload(content_of(hostile_message(text)))

    blocks = payload["blocks"]
    assert isinstance(blocks, list)
    for block in blocks:
        if block["type"] == "header":
            assert block["text"]["type"] == "plain_text"
            assert not block["text"]["emoji"]
    section = blocks[1]["text"]
    assert section["verbatim"] is True
    for shown in (section["text"].replace(_LINK, ""), str(payload["text"])):
        # Nothing is a mention or a link, and everything of a stranger is in a span.
        assert "<" not in shown
        assert ">" not in shown
        assert shown.count("`") == 2 * len(_SPAN.findall(shown))
        assert not re.search(r"&(?!amp;|lt;|gt;)", shown)
    spans = [html.unescape(span) for span in _SPAN.findall(section["text"])]
    expected = line_of(text).replace("`", "\u02cb").strip() or "(empty)"
    assert expected in spans


@given(hostile_texts)
@example(HOSTILE[5])
@example(HOSTILE[6])
def test_teams_is_given_it_where_no_markdown_is_read(text: str) -> None:
    payload = teams.teams_payload(content_of(hostile_message(text)))

    encoded = json.dumps(payload)
    (attachment,) = json.loads(encoded)["attachments"]
    kinds = set(re.findall(r'"type": "([A-Za-z.]+)"', encoded))
    assert kinds <= {
        "message",
        "AdaptiveCard",
        "Container",
        "RichTextBlock",
        "TextRun",
        "ActionSet",
        "Action.OpenUrl",
    }
    runs = texts_in(attachment["content"]["body"])
    assert line_of(text) in runs
    assert all(run == printable(run) for run in runs)


class _Seen(HTMLParser):
    """Elements with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links.update(str(value) for name, value in attrs if name == "href")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(hostile_texts)
@example(HOSTILE[0])
@example(HOSTILE[1])
def test_html_has_no_element_and_no_link_of_it(text: str) -> None:
    seen = _Seen()

    seen.feed(mail.html_of(content_of(hostile_message(text))))
    seen.close()

    ours = {"html", "head", "meta", "title", "body", "h1", "p", "div", "a"}
    assert seen.elements <= ours | {"table", "tr", "th", "td"}
    assert seen.attributes <= {"lang", "charset", "name", "content", "style", "href"}
    assert seen.links <= {URL}
    assert line_of(text) in seen.texts


def parsed(message: Message) -> EmailMessage:
    made = mail.mail_of(message, "Weighbridge <w@example.org>", ("ops@example.org",))
    found = message_from_bytes(made.as_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


@given(hostile_texts)
@example(HOSTILE[7])
def test_no_header_of_an_email_can_be_added(text: str) -> None:
    found = parsed(hostile_message(text))

    assert sorted(name.lower() for name in found) == sorted(
        [
            *("subject", "from", "to", "date", "message-id", "auto-submitted"),
            *("mime-version", "content-type"),
        ]
    )
    assert found["To"] == "ops@example.org"
    assert not found.defects
    assert len(found["Subject"]) <= mail.SUBJECT_CHARACTERS


@given(hostile_texts)
@example(HOSTILE[10])
def test_json_holds_it_as_it_is_in_any_reader(text: str) -> None:
    body = webhook.webhook_body(hostile_message(text))

    item = json.loads(body)["items"][0]
    assert body.isascii()
    # Half a pair becomes a question mark: nothing else is changed.
    cut = text[: webhook.TEXT_CHARACTERS].encode("utf-8", "replace").decode()
    assert item["cause"]["changes"][0]["instruction"] == cut
    json.dumps(item, ensure_ascii=False).encode("utf-8")


@given(hostile_texts)
@example(HOSTILE[2])
def test_alertmanagers_templates_get_no_mark_up_and_labels_are_few(text: str) -> None:
    (alert,) = alerts_of(hostile_message(text).items, NOW)

    labels, annotations = alert["labels"], alert["annotations"]
    assert isinstance(labels, dict)
    assert isinstance(annotations, dict)
    assert set(labels) <= {
        *("alertname", "severity", "registry", "repository", "policy", "team"),
    }
    assert all(0 < len(value) <= 255 for value in labels.values())
    assert all(value == printable(value) for value in labels.values())
    for value in annotations.values():
        assert "<" not in value
        assert ">" not in value
        assert value == printable(value)


@settings(max_examples=20)
@given(hostile_texts)
@example(HOSTILE[11])
@example(HOSTILE[12])
@example(HOSTILE[14])
def test_a_message_of_many_stays_within_what_its_medium_takes(text: str) -> None:
    message = hostile_message(text, count=80)
    content = content_of(message)

    payload = slack.slack_payload(content)
    blocks = payload["blocks"]
    assert isinstance(blocks, list)
    assert len(blocks) <= 50
    assert len(blocks[0]["text"]["text"]) <= 150
    sections = [b["text"]["text"] for b in blocks if b["type"] == "section"]
    assert all(0 < len(section) <= 3_000 for section in sections)
    assert sum(map(len, texts_in(blocks))) < 13_000
    card = json.dumps(teams.teams_payload(content))
    assert len(card) <= 28 * 1024
    assert len(plain_text(content)) <= TEXT_CHARACTERS
    assert len(mail.html_of(content)) <= mail.HTML_CHARACTERS + 5_000
    body = webhook.webhook_body(message)
    assert len(body) <= webhook.BODY_BYTES
    given_items = json.loads(body)
    # Nothing is lost silently.
    assert len(given_items["items"]) + given_items["more"] == 83
    slack_hidden = blocks[-1]["elements"][0]["text"]
    assert slack_hidden == f"and {83 - len(sections):,} more"
