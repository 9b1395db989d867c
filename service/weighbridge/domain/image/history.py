"""Which line of an image's history made which layer, and how sure that is.

A config lists steps, a manifest lists layers, and nothing but order joins the two.
A size beside the wrong line is worse than no size, so where counting does not settle
it and what the lines say does not either, no line is given a layer.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from weighbridge.domain.image.document import HistoryAlignment, HistoryEntry, Line
from weighbridge.domain.image.instruction import METADATA, instruction, keyword

NOT_IN_HISTORY: Final = "(not in the history)"
"""The line of a layer of an image that has no history."""

LINE_UNKNOWN: Final = "(line unknown)"
"""The line of a layer where history and layers do not fit together."""

SQUASHED: Final = "(squashed: one layer of several lines above)"
"""The line of a layer that several instructions share."""

_COPIES: Final = frozenset({"ADD", "COPY"})
_WORKS: Final = _COPIES | {"RUN"}


def align(
    history: Sequence[HistoryEntry], layers: int, os: str = "linux"
) -> tuple[tuple[Line, ...], HistoryAlignment]:
    """The lines of an image with `layers` layers, and how sure their layers are.

    `exact`: as many entries as layers are not marked empty, and each can make one.
    `inferred`: what the entries say leaves exactly that many; or several of them
        were committed as one layer, which then has a line of its own.
    `unresolved`: neither; a line for each entry names no layer, and a line for each
    layer names no instruction, so that every byte is still seen.
    """
    texts = [instruction(entry.created_by, entry.comment) for entry in history]
    words = [keyword(text) for text in texts]
    makers, shared, alignment = _makers(history, words, layers, os)
    layer_of = {line: layer for layer, line in enumerate(makers)}
    lines: list[Line] = []
    for number, (text, entry) in enumerate(zip(texts, history, strict=True)):
        layer = layer_of.get(number)
        if number in shared:
            lines.append(Line(text, entry.created_at, None))
            lines.append(Line(SQUASHED, entry.created_at, layer))
        else:
            lines.append(Line(text, entry.created_at, layer))
    if alignment == "unresolved":
        unexplained = LINE_UNKNOWN if history else NOT_IN_HISTORY
        lines += [Line(unexplained, None, layer) for layer in range(layers)]
    return tuple(lines), alignment


_Makers = tuple[list[int], frozenset[int], HistoryAlignment]


def _makers(
    history: Sequence[HistoryEntry], words: Sequence[str], layers: int, os: str
) -> _Makers:
    """The numbers of the entries that made the layers, in order; which of them share
    theirs with lines before them; and how sure that is."""
    not_empty = [n for n, entry in enumerate(history) if entry.empty_layer is not True]
    able = [n for n in not_empty if words[n] not in METADATA]
    if len(not_empty) == layers:
        shared = _shared(history, words, not_empty)
        # On Windows the classic builder commits a layer for every line.
        if os == "windows" or all(n in shared for n in set(not_empty) - set(able)):
            return not_empty, shared, "inferred" if shared else "exact"
    if len(able) == layers:
        return able, _shared(history, words, able), "inferred"
    if all(entry.empty_layer is None for entry in history):
        # `empty_layer` was not served. WORKDIR makes a layer only where it had to
        # make the directory, and the classic builder did not always do that.
        able = [n for n in able if words[n] != "WORKDIR"]
        if len(able) == layers:
            return able, _shared(history, words, able), "inferred"
    return [], frozenset(), "unresolved"


def _shared(
    history: Sequence[HistoryEntry], words: Sequence[str], makers: Sequence[int]
) -> frozenset[int]:
    """The makers whose layer holds the work of lines before them as well.

    buildah without `--layers` and `docker build --squash` commit several lines as
    one layer: all of them are marked empty but the last, be that a RUN or a CMD. A
    file that was copied is somewhere, so a COPY that is marked empty gives it away;
    a RUN may really have changed nothing, and does so only where the last line is
    one that makes no layer by itself.
    """
    shared = set()
    for before, maker in pairwise([-1, *makers]):
        gives_away = _WORKS if words[maker] in METADATA else _COPIES
        if history[maker].comment.startswith("merge sha256:"):
            continue  # docker's own line for a squashed layer
        for n in range(before + 1, maker):
            if words[n] in gives_away and history[n].empty_layer is True:
                shared.add(maker)
    return frozenset(shared)
