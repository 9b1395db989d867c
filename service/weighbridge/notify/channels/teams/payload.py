"""A message as an Adaptive Card, as a Workflows webhook of Microsoft Teams takes it.

Markdown is read in a TextBlock and in the facts of a FactSet, and not in a TextRun: so
everything that a stranger wrote is a TextRun, and nothing has to be escaped.
"""

import json
from collections.abc import Mapping
from typing import Final, TypeAlias

from weighbridge.domain.text.printable import printable
from weighbridge.notify.render.content import (
    Fact,
    MessageContent,
    MessageItem,
    and_more,
    fitting,
)

JSON: TypeAlias = Mapping[str, object]

# Teams takes about 28 KB a message; its own envelope is part of that.
CARD_BYTES: Final = 24_000
ITEMS: Final = 25
_FRAME_BYTES: Final = 1_500
_COLOURS: Final = {"critical": "Attention", "warning": "Warning", "info": "Accent"}


def teams_payload(content: MessageContent) -> JSON:
    """The body of a request to the webhook."""
    containers = [_container(content, item) for item in content.items]
    head = [_runs([_run(content.headline, weight="Bolder", size="Medium")])]
    if content.note:
        head.append(_runs([_run(content.note)]))
    room = CARD_BYTES - _FRAME_BYTES - sum(map(_bytes, head))
    shown, hidden = fitting(containers, room, ITEMS, _bytes)
    hidden += content.more
    tail = [_runs([_run(and_more(hidden), isSubtle=True)])] if hidden else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": printable(content.headline),
        "body": [*head, *shown, *tail],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _container(content: MessageContent, item: MessageItem) -> JSON:
    colour = "Good" if item.is_resolved else _COLOURS[item.severity]
    rows: list[JSON] = [
        _runs([_run(item.name, weight="Bolder", color=colour)]),
        _runs([_run(item.verdict)]),
    ]
    rows += [_fact(fact) for fact in content.shown_facts(item)]
    if item.url:
        action = {"type": "Action.OpenUrl", "title": "Open", "url": item.url}
        rows.append({"type": "ActionSet", "actions": [action]})
    return {"type": "Container", "separator": True, "items": rows}


def _fact(fact: Fact) -> JSON:
    font = {"fontType": "Monospace"} if fact.is_code else {}
    name = _run(f"{fact.name}: ", isSubtle=True)
    return {**_runs([name, _run(fact.value, **font)]), "spacing": "None"}


def _runs(runs: list[JSON]) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": runs}


def _run(text: str, **look: object) -> JSON:
    return {"type": "TextRun", "text": text, **look}


def _bytes(element: JSON) -> int:
    return len(json.dumps(element)) + 1
