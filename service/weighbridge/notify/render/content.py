"""What a message says, in plain text: the one model that every medium renders, and its
form for e-mail's first part and whatever knows no other medium.

All texts are one printable line of bounded length, whatever a stranger pushed; none is
escaped yet for any medium.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from weighbridge.domain.message.message import Message, ViolationNotice
from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.text.printable import printable
from weighbridge.notify.render.image_facts import (
    NAME_CHARACTERS,
    CauseCounts,
    Fact,
    base_of,
    details_of,
    end,
    excess,
    line_of,
    repositories_by_cause,
    sizes_of,
    unknown_of,
    verdict,
)

HEADLINE_CHARACTERS: Final = 300
URL_CHARACTERS: Final = 1_000

_IN_DETAIL: Final = 3
"""So many images are shown with everything, where there is little room."""

TEST: Final = "This is a test message: nothing is wrong, and no such image was pushed."


class MessageItem(Struct, frozen=True):
    """One violation.

    name:    registry/repository:tag
    verdict: which limit is exceeded and by how much, or that it is kept again
    cause:   the line that brought most of it; None where it is not known
    url:     the page about it; "" for none
    """

    name: str
    verdict: str
    cause: Fact | None
    facts: tuple[Fact, ...]
    severity: Severity
    is_resolved: bool
    url: str


class MessageContent(Struct, frozen=True):
    """A whole message.

    note: what is to be said before everything else; "" for nothing
    more: violations that are not among the items
    """

    headline: str
    note: str
    items: tuple[MessageItem, ...]
    more: int

    def shown_facts(self, item: MessageItem) -> list[Fact]:
        """What a chat shows of it beside name and verdict."""
        is_long = len(self.items) > _IN_DETAIL
        facts = [fact for fact in item.facts if not (is_long and fact.is_detail)]
        return [*([item.cause] if item.cause else []), *facts]


def content_of(message: Message) -> MessageContent:
    """What is to be said."""
    sharing = CauseCounts(repositories_by_cause(message.items), is_all=not message.more)
    return MessageContent(
        headline=printable(_headline(message), HEADLINE_CHARACTERS),
        note=TEST if message.is_test else "",
        items=tuple(item_of(notice, sharing) for notice in message.items),
        more=message.more,
    )


def and_more(hidden: int) -> str:
    """The words for what does not fit."""
    return f"and {hidden:,} more"


def name_of(notice: ViolationNotice) -> str:
    """What was pushed, as people call it."""
    tag = f":{notice.tag}" if notice.tag else ""
    return printable(f"{notice.registry}/{notice.repository}{tag}", NAME_CHARACTERS)


def _headline(message: Message) -> str:
    test = "Test: " if message.is_test else ""
    if not message.more and (one := headline_of(message.items)):
        return f"{test}{one}"
    ended = sum(map(_is_over, message.items))
    count = len(message.items) + message.more - ended
    parts = [f"{count:,} {_noun(count)} exceeded"] if count else []
    if ended:
        parts.append(f"{ended:,} {'' if count else f'{_noun(ended)} '}kept again")
    why = " by one base image that changed" if _is_of_one_base(message.items) else ""
    about = f" ({message.group})" if message.group else ""
    return f"{test}{', '.join(parts) or 'nothing exceeded'}{why}{about}"


def headline_of(items: Sequence[ViolationNotice]) -> str:
    """Of one image by its name, whatever number of limits it is about; "" of several
    images, or of none."""
    if len({name_of(notice) for notice in items}) != 1:
        return ""
    name = name_of(items[0])
    over = [notice for notice in items if not _is_over(notice)]
    ended = [notice for notice in items if _is_over(notice)]
    if len(items) == 1:
        return f"{name} {end(ended[0]) if ended else excess(over[0])}"
    parts = []
    if over:
        parts.append(f"is over {_limits(over)}")
    if ended:
        are_within = all(notice.amount <= notice.limit_amount for notice in ended)
        word = "within" if are_within else "no longer over"
        parts.append(f"is {word} {_limits(ended)}")
    return f"{name} {', and '.join(parts)}"


def _limits(items: Sequence[ViolationNotice]) -> str:
    """`max_compressed and max_layers`, each once."""
    names = list(dict.fromkeys(notice.limit_key for notice in items))
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _noun(count: int) -> str:
    return "limit" if count == 1 else "limits"


def _is_of_one_base(items: Sequence[ViolationNotice]) -> bool:
    """Whether all of them grew by what others share."""
    causes = [notice.cause for notice in items if not _is_over(notice)]
    keys = {cause.key for cause in causes if cause and cause.of in ("base", "both")}
    return (
        len(causes) > 1 and None not in causes and len(keys) == 1 and None not in keys
    )


def _is_over(notice: ViolationNotice) -> bool:
    """Whether it has come to its end."""
    return notice.event == "resolved"


def item_of(notice: ViolationNotice, sharing: CauseCounts) -> MessageItem:
    """What is said of one violation."""
    is_resolved = _is_over(notice)
    cause = None if is_resolved else notice.cause
    base = [] if cause is None else base_of(cause, sharing)
    unknown = [] if cause is None else unknown_of(cause)
    return MessageItem(
        name=name_of(notice),
        verdict=verdict(notice),
        cause=None if cause is None else line_of(cause),
        facts=(*sizes_of(notice), *unknown, *base, *details_of(notice)),
        severity=notice.severity,
        is_resolved=is_resolved,
        url=url_of(notice),
    )


def url_of(notice: ViolationNotice) -> str:
    """Our own page, whose parts are quoted already. What is none is left out: a medium
    would make a link of it."""
    text = notice.url or ""
    is_ours = text.startswith(("https://", "http://")) and text.isascii()
    is_plain = text.isprintable() and not set(text) & set(" <>\"'|\\^`{}")
    return text if is_ours and is_plain and len(text) <= URL_CHARACTERS else ""


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


Piece = TypeVar("Piece")


def fitting(
    pieces: Sequence[Piece], room: int, most: int, weigh: Callable[[Piece], int]
) -> tuple[Sequence[Piece], int]:
    """The first pieces that fit, and how many are left out.

    room: what all of them may weigh together
    most: how many there may be
    """
    for count, piece in enumerate(pieces):
        room -= weigh(piece)
        if room < 0 or count == most:
            return pieces[:count], len(pieces) - count
    return pieces, 0
