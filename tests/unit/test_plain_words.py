"""What a user reads has plain words: a stranger who reads English as a second language
must not stumble over a figure of speech.

Each pattern has the words that are out, what to write instead, and a text that it must
find: a pattern that finds nothing any more would keep nothing.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from support.user_texts import (
    Text,
    alerts,
    dashboards,
    helps,
    interface,
    messages,
    pages,
    templates,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """
    pattern: what is out, in any case of letters
    instead: what to write
    example: a text that stood somewhere
    """

    pattern: str
    instead: str
    example: str


FIGURES: Final = (
    Figure(
        r"\b(told|tells?|telling)\b",
        "people are notified, an event is sent, a value is shown",
        "What is over by then is told to nobody.",
    ),
    Figure(
        r"\b(nobody|somebody|whoever|whosever|whom)\b",
        'a plain subject, or "no notification is sent"',
        "Its limits hold for whoever pushes.",
    ),
    Figure(
        r"\blook(s|ed|ing)? (at|after)\b|\b(an?|one|no|last|first|next|each) looks?\b",
        "crawled; a crawl; open, check or read a page or a file",
        "No look was complete within two intervals.",
    ),
    Figure(
        r"\b(an?|last|next|first|complete|good|long) pass\b",
        "a crawl of a repository",
        "The last pass was complete.",
    ),
    Figure(r"\brings? (for|every|up)\b", "enqueues", "Rings for what is due."),
    Figure(
        r"\bsilent(ly)?\b|\bsilenced\b",
        "not notified; did not answer; muted",
        "Crawls by hand are silent.",
    ),
    Figure(
        r"(?<!deduplication )\bfactor \d|\bnothing were shared\b",
        "deduplication factor: sum over tags / bytes stored",
        "factor 3.10",
    ),
    Figure(
        r"\bonly here\b",
        "exclusive to this repository",
        "only here: 5 MB of the layers",
    ),
    Figure(
        r"\bwhen (they|it) (were|was) last looked\b|\blast seen whole\b",
        "loaded at the last attempt; the last complete crawl",
        "It was last seen whole an hour ago.",
    ),
    Figure(
        r"\bare on top\b|\bwould not keep\b",
        "the order, as it really is",
        "The heaviest lines are on top.",
    ),
    Figure(r"\banew\b", "again", "Counts every total anew."),
    Figure(
        r"\bvanish\w*\b|\b(is|are|was|has|have) gone\b",
        "deleted; missing",
        "The tag has gone since.",
    ),
    Figure(
        r"\bin hand\b|\btak(en|es?) up\b|\blet (go|loose)\b|\bhung up\b"
        r"|\bhand(s|ed)? over\b",
        "being handled; continued; ended the connection; sent",
        "503 comes where 120 webhooks are in hand.",
    ),
    Figure(
        r"\bspeaks?\b|\b(lies?|lives?) (elsewhere|outside|in another)\b",
        "uses a protocol; is about; is stored",
        "The layer lies elsewhere.",
    ),
)
SOURCES: Final[tuple[Callable[[], Iterator[Text]], ...]] = (
    pages,
    helps,
    interface,
    messages,
    templates,
    alerts,
    dashboards,
)


def found(figure: Figure, texts: Iterator[Text]) -> list[str]:
    """Where the figure stands, with the words around it."""
    pattern = re.compile(figure.pattern, re.IGNORECASE)
    return [
        f"{place}: ...{text[max(match.start() - 40, 0) : match.end() + 40]}..."
        for place, text in texts
        for match in pattern.finditer(text)
    ]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_no_figure_of_speech_stands_where_a_user_reads(
    source: Callable[[], Iterator[Text]],
) -> None:
    texts = list(source())

    faults = [
        f"{fault}\n  write: {figure.instead}"
        for figure in FIGURES
        for fault in found(figure, iter(texts))
    ]

    assert len(texts) > 10
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.pattern)
def test_every_pattern_finds_what_it_is_for(figure: Figure) -> None:
    assert found(figure, iter([("", figure.example)]))


@pytest.mark.parametrize(
    "text",
    [
        "Texts that look like numbers need quotes.",
        "For teams that have their routes and silences there.",
        "The deduplication factor 3.10 is the sum over tags / bytes stored.",
        "A repository in the state CODE was deleted.",
    ],
)
def test_plain_words_are_left_alone(text: str) -> None:
    assert [f for f in FIGURES if found(f, iter([("", text)]))] == []
