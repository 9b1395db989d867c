"""What a message says, in plain text: the one model that every medium renders, and its
form for e-mail's first part and whatever knows no other medium. Below the name of an
image stand its sizes, the line that did it and its base, limits and amounts in words.

All texts are one printable line of bounded length, whatever a stranger pushed; none is
escaped yet for any medium.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.growth.cause import Cause, LineChange
from weighbridge.domain.message.grouping import Message, ViolationNotice
from weighbridge.domain.policy.policy import LimitKey, Severity
from weighbridge.domain.policy.quantity import WORDS, amount_in_words, written_amount
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes

_WORDS: Final = {
    "claimed": "its manifest claims this size; the registry has not confirmed it yet",
    "disputed": "this is the registry's figure; its manifest says otherwise",
}
NAME_CHARACTERS: Final = 200
LINE_CHARACTERS: Final = 240


class Fact(Struct, frozen=True):
    """A name and a value.

    is_code:   it holds what a stranger or a policy's author wrote, shown as it is
    is_detail: a message about many images leaves it to their pages
    """

    name: str
    value: str
    is_code: bool = False
    is_detail: bool = False


class CauseCounts(Struct, frozen=True):
    """How many repositories each cause is behind.

    is_all: nothing of the message is left out
    """

    repositories: Mapping[bytes, int]
    is_all: bool


def repositories_by_cause(items: Iterable[ViolationNotice]) -> Mapping[bytes, int]:
    """How many repositories of this message each cause is behind."""
    found: dict[bytes, set[tuple[str, str]]] = {}
    for notice in items:
        if notice.cause is not None and notice.cause.key is not None:
            place = (notice.registry, notice.repository)
            found.setdefault(notice.cause.key, set()).add(place)
    return {key: len(places) for key, places in found.items()}


def sizes_of(notice: ViolationNotice) -> list[Fact]:
    """What the image weighs, and what it weighed."""
    facts: list[Fact] = []
    if notice.compressed_bytes is not None:
        size = format_bytes(notice.compressed_bytes)
        # What was before the image that was over is not what was before this one.
        before = notice.before_compressed_bytes if notice.event == "opened" else None
        change = _change(before, notice.compressed_bytes)
        facts.append(Fact("Compressed", size + change))
        if word := _WORDS.get(notice.compressed_confidence or ""):
            facts.append(Fact("Whose word", word))
    if notice.uncompressed_bytes is not None:
        size = format_bytes(notice.uncompressed_bytes)
        facts.append(Fact("On disk", size, is_detail=True))
    baseline = notice.baseline_compressed_bytes
    if baseline is not None and notice.limit_key == "max_growth":
        median = f"{format_bytes(baseline)}, the median of the ten before it"
        facts.append(Fact("Baseline", median))
    return facts


def _change(before: int | None, after: int) -> str:
    if before is None:
        return ""
    share = f", {share_of(after - before, before)}" if before else ""
    return f" ({_signed(after - before)}{share} against {format_bytes(before)} before)"


def line_of(cause: Cause) -> Fact | None:
    """The change that has most of what is limited."""
    change = cause.heaviest
    if change is None:
        return None
    instruction = printable(change.instruction, LINE_CHARACTERS) or "(no line)"
    return Fact(_grown(cause, change), instruction, is_code=True)


def unknown_of(cause: Cause) -> list[Fact]:
    """Lines that are not ranked, as it is not known what they have."""
    count = cause.unknown_lines
    if not count:
        return []
    lines = f"{count:,} changed {'line' if count == 1 else 'lines'}"
    where = WORDS[cause.quantity]
    return [Fact("Not known", f"what {lines} added {where}".strip())]


def _grown(cause: Cause, change: LineChange) -> str:
    """`New line, +570 MB compressed`; where one layer is limited, what it has."""
    what = "New line" if change.kind == "added" else "Line"
    place = " of the base" if change.of_base else ""
    words = f"{what}{place}, {amount_of(cause, change)}"
    if change.kind == "grown" and change.before_amount is not None:
        words += f", {written_amount(cause.quantity, change.before_amount)} before"
    return words


def amount_of(cause: Cause, change: LineChange) -> str:
    """`+570 MB on disk`, `+1 layer`, `310 MB compressed in one layer`."""
    if cause.quantity == "layer_compressed_bytes":
        amount = written_amount(cause.quantity, change.amount or 0)
    else:
        amount = _signed_amount(cause, change.grown_amount or 0)
    return f"{amount} {WORDS[cause.quantity]}".rstrip()


def _signed_amount(cause: Cause, amount: int) -> str:
    sign = "+" if amount >= 0 else "\u2212"
    return sign + written_amount(cause.quantity, abs(amount))


def base_of(cause: Cause, sharing: CauseCounts) -> list[Fact]:
    """What its base has to do with it."""
    if cause.of not in ("base", "both"):
        return []
    words = f"changed, {_signed_amount(cause, cause.base_grown_amount)}"
    sharers = 0 if cause.key is None else sharing.repositories.get(cause.key, 0)
    if sharers > 1:
        least = "" if sharing.is_all else "at least "
        words += f"; the same change in {least}{sharers:,} repositories"
    return [Fact("Base", words)]


def stands_on(notice: ViolationNotice) -> list[Fact]:
    """The base that a limit is about."""
    if notice.base is None:
        return []
    return [Fact("Stands on", _base(notice), is_code=True)]


_LIGHTER: Final = frozenset({"max_compressed", "max_uncompressed", "max_growth"})


def slimmer_of(notice: ViolationNotice) -> list[Fact]:
    """What a slimmer base would save, where the limit is about the image's size."""
    slimmer = notice.slimmer
    if slimmer is None or notice.limit_key not in _LIGHTER:
        return []
    words = (
        f"FROM {name_in_from(slimmer.variant)} in place of "
        f"{name_in_from(slimmer.base)}: {format_bytes(slimmer.saved_bytes)} less"
    )
    return [Fact("Slimmer base", printable(words, LINE_CHARACTERS), is_code=True)]


def details_of(notice: ViolationNotice) -> list[Fact]:
    """Whose it is, since when, and which image exactly."""
    policy = f"{notice.policy}, {notice.severity}"
    if notice.team:
        policy += f", team {notice.team}"
    facts = [Fact("Policy", printable(policy, NAME_CHARACTERS), is_code=True)]
    if notice.platform:
        platform = printable(notice.platform, NAME_CHARACTERS)
        facts.append(Fact("Platform", platform, is_code=True))
    facts.append(Fact("Since", _moment(notice.opened_at)))
    if notice.closed_at is not None:
        facts.append(Fact("Until", _moment(notice.closed_at)))
    if notice.digest is not None:
        facts.append(Fact("Digest", str(notice.digest), is_code=True))
    return [replace(fact, is_detail=True) for fact in facts]


def _moment(when: datetime) -> str:
    """`2026-09-22 08:12 UTC`."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _signed(amount: int) -> str:
    """`+612 MB`, with the minus of typography."""
    return (
        f"+{format_bytes(amount)}" if amount >= 0 else f"\u2212{format_bytes(-amount)}"
    )


_HAS: Final[Mapping[LimitKey, str]] = {
    "max_compressed": "{amount} compressed",
    "max_uncompressed": "{amount} on disk",
    "max_growth": "{amount} compressed",
    "max_layers": "{amount}",
    "max_layer_compressed": "a layer of {amount} compressed",
    "allowed_bases": "{amount} that is not allowed",
    "max_base_age": "a base that was replaced {amount} ago",
    "notify_base_moved": "a base that was replaced {amount} ago",
    "max_deduplicated": "{amount} in the whole repository, each blob once",
}
_CLAIMS: Final = frozenset({"max_compressed", "max_growth", "max_layer_compressed"})
_CLAIMED: Final = "as the manifest claims, not yet confirmed by the registry"
_ENDED: Final = {
    "deleted": "its tag was deleted",
    "policy": "the limit was changed or removed",
}


def verdict(notice: ViolationNotice) -> str:
    """`1.08 GB compressed, 583 MB over max_compressed (500 MB)`."""
    limit = written(notice.limit_key, notice.limit_amount)
    if notice.event == "resolved":
        now = written(notice.limit_key, notice.amount)
        if notice.amount <= notice.limit_amount:
            if notice.limit_key == "allowed_bases":
                return "on a base that allowed_bases allows"
            return f"within {notice.limit_key} ({limit}): {now}"
        why = _ENDED.get(notice.closed_by or "", "")
        return f"no longer over {notice.limit_key}{f': {why}' if why else ''}"
    has = _HAS[notice.limit_key].format(amount=written(notice.limit_key, notice.amount))
    if notice.limit_key == "allowed_bases":
        return f"{has}: allowed_bases"
    if notice.limit_key == "notify_base_moved":
        return "its base was replaced by another build: rebuild it"
    text = f"{has}, {excess_amount(notice)} over {notice.limit_key} ({limit})"
    is_claimed = notice.compressed_confidence == "claimed"
    return f"{text}, {_CLAIMED}" if is_claimed and notice.limit_key in _CLAIMS else text


def end(notice: ViolationNotice) -> str:
    """`is within max_compressed`; never said of an image that was over."""
    if notice.amount <= notice.limit_amount:
        return f"is within {notice.limit_key}"
    return f"is no longer over {notice.limit_key}"


def excess(notice: ViolationNotice) -> str:
    """`is 583 MB over max_compressed`; growth is told as growth."""
    if notice.limit_key == "allowed_bases":
        return "stands on a base that is not allowed"
    if notice.limit_key == "notify_base_moved":
        return f"is to be rebuilt: {_base(notice)} was replaced"
    baseline = notice.baseline_compressed_bytes
    if notice.limit_key == "max_growth" and baseline is not None:
        grown = notice.amount - baseline
        share = f" ({share_of(grown, baseline)})" if baseline else ""
        return f"grew by {format_bytes(grown)}{share}"
    return f"is {excess_amount(notice)} over {notice.limit_key}"


def excess_amount(notice: ViolationNotice) -> str:
    """How much it is too much; never below 0."""
    return written(notice.limit_key, max(notice.amount - notice.limit_amount, 0))


def share_of(grown: int, before: int) -> str:
    """`+130 %`, with the minus of typography."""
    return f"{round(100 * grown / before):+d} %".replace("-", "\u2212")


def written(key: LimitKey, amount: int) -> str:
    """Bytes, layers, or days."""
    return amount_in_words(key, amount)


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
    if rebuilt := _to_rebuild(message):
        return f"{test}{rebuilt}"
    ended = sum(map(_is_over, message.items))
    count = len(message.items) + message.more - ended
    parts = [f"{count:,} {_noun(count)} exceeded"] if count else []
    if ended:
        parts.append(f"{ended:,} {'' if count else f'{_noun(ended)} '}kept again")
    why = " by one base image that changed" if _is_of_one_base(message.items) else ""
    about = f" ({message.group})" if message.group else ""
    return f"{test}{', '.join(parts) or 'nothing exceeded'}{why}{about}"


def _to_rebuild(message: Message) -> str:
    """Of images on one base that was replaced; "" of others."""
    keys = {notice.limit_key for notice in message.items}
    bases = {_base(notice) for notice in message.items}
    if keys != {"notify_base_moved"} or any(map(_is_over, message.items)):
        return ""
    count = len(message.items) + message.more
    base = bases.pop() if len(bases) == 1 else "their base"
    return f"{count:,} images are to be rebuilt: {base} was replaced"


def _base(notice: ViolationNotice) -> str:
    """The name of its base."""
    return printable(notice.base or "its base", NAME_CHARACTERS)


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
        facts=(
            *sizes_of(notice),
            *unknown,
            *base,
            *stands_on(notice),
            *slimmer_of(notice),
            *details_of(notice),
        ),
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
