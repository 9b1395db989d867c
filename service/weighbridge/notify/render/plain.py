"""A message as plain text: e-mail's first part, and whatever knows no other medium."""

from typing import Final

from weighbridge.notify.render.content import MessageContent, MessageItem, and_more
from weighbridge.notify.render.fitting import fitting

TEXT_CHARACTERS: Final = 20_000
ITEMS: Final = 50


def plain_text(content: MessageContent, characters: int = TEXT_CHARACTERS) -> str:
    """The headline, and what stands below it."""
    room = characters - len(content.headline) - 2
    return f"{content.headline}\n\n{text_below(content, room)}"


def text_below(content: MessageContent, characters: int = TEXT_CHARACTERS) -> str:
    """Paragraphs: one for each violation, and what is left out."""
    head = [content.note] if content.note else []
    paragraphs = [_paragraph(item) for item in content.items]
    room = characters - sum(map(len, head)) - 100
    shown, hidden = fitting(paragraphs, room, ITEMS, lambda text: len(text) + 2)
    hidden += content.more
    tail = [and_more(hidden)] if hidden else []
    return "\n\n".join([*head, *shown, *tail]) + "\n"


def _paragraph(item: MessageItem) -> str:
    lines = [item.name, f"  {item.verdict}"]
    facts = [*([item.cause] if item.cause else []), *item.facts]
    lines += [f"  {fact.name}: {fact.value}" for fact in facts]
    if item.url:
        lines.append(f"  {item.url}")
    return "\n".join(lines)
