"""A message as Slack's blocks, with a text for whatever shows no blocks.

What a stranger wrote stands in code spans, where no mark-up is read, with `&`, `<` and
`>` escaped: no mention, no link, no channel comes of it. `verbatim` keeps Slack from
making links out of what only looks like one.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from weighbridge.domain.text.printable import shortened
from weighbridge.notify.render.content import (
    Fact,
    MessageContent,
    MessageItem,
    and_more,
    fitting,
)

JSON: TypeAlias = Mapping[str, object]

# Block Kit: 50 blocks, 3,000 characters a text, 150 in a header. Not written down, but
# answered with `msg_blocks_too_long`: about 13,200 characters in all blocks together.
ITEMS: Final = 45
BLOCK_CHARACTERS: Final = 3_000
HEADER_CHARACTERS: Final = 150
BLOCKS_CHARACTERS: Final = 11_000
FALLBACK_CHARACTERS: Final = 2_000
_WRAPPING_CHARACTERS: Final = 80
"""What the JSON around a text adds to it."""
_BACKTICK: Final = "\u02cb"
"""Looks like a backtick, which would end the span and cannot be escaped."""


def slack_payload(content: MessageContent) -> JSON:
    """The body of a request to an incoming webhook."""
    header = shortened(content.headline, HEADER_CHARACTERS)
    sections = [_section(_item_text(content, item)) for item in content.items]
    shown, hidden = fitting(sections, BLOCKS_CHARACTERS, ITEMS, _characters)
    hidden += content.more
    blocks: list[JSON] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": header, "emoji": False},
        }
    ]
    if content.note:
        blocks.append(_section(escaped(content.note)))
    blocks += shown
    if hidden:
        blocks.append(_context(and_more(hidden)))
    return {
        "text": _fallback(content),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escaped(text: str) -> str:
    """The three characters that mentions, channels and links are made with."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _item_text(content: MessageContent, item: MessageItem) -> str:
    mark = ":white_check_mark:" if item.is_resolved else _MARKS[item.severity]
    lines = [f"{mark} {_code(item.name)}", escaped(item.verdict)]
    lines += [_fact(fact) for fact in content.shown_facts(item)]
    if item.url:
        lines.append(f"<{escaped(item.url)}|Open in Weighbridge>")
    return _joined(lines, BLOCK_CHARACTERS)


def _fallback(content: MessageContent) -> str:
    """For notifications, and for servers that speak Slack's webhooks without blocks."""
    lines = [_code(content.headline)]
    if len(content.items) == 1:
        (item,) = content.items
        lines += [escaped(item.verdict), *([_fact(item.cause)] if item.cause else [])]
    return _joined([*lines, escaped(content.note)], FALLBACK_CHARACTERS).strip()


def _joined(lines: Sequence[str], characters: int) -> str:
    """Whole lines: what is cut in its middle may lose the end of a code span."""
    shown, _ = fitting(lines, characters, len(lines), lambda line: len(line) + 1)
    return "\n".join(shown)


def _fact(fact: Fact) -> str:
    value = _code(fact.value) if fact.is_code else escaped(fact.value)
    return f"{escaped(fact.name)}: {value}"


_MARKS: Final = {
    "critical": ":octagonal_sign:",
    "warning": ":warning:",
    "info": ":information_source:",
}


def _code(text: str) -> str:
    # Spaces at the ends, or nothing at all, would make no span of it.
    inner = escaped(text.replace("`", _BACKTICK)).strip() or "(empty)"
    return f"`{inner}`"


def _section(text: str) -> JSON:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(text: str) -> JSON:
    return {"type": "context", "elements": [_mrkdwn(escaped(text))]}


def _mrkdwn(text: str) -> JSON:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _characters(section: JSON) -> int:
    text = section["text"]
    inner = text["text"] if isinstance(text, Mapping) else ""
    return len(str(inner)) + _WRAPPING_CHARACTERS
