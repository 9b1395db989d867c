"""Which line of an image's history made which layer, and how sure that is.

A config lists steps, a manifest lists layers, and nothing but order joins the two.
A size beside the wrong line is worse than no size, so where counting does not settle
it and what the lines say does not either, no line is given a layer.
"""

from collections.abc import Sequence
from typing import Final

from weighbridge.domain.document import HistoryAlignment, HistoryEntry, Line
from weighbridge.domain.instruction import METADATA, instruction, keyword

NOT_IN_HISTORY: Final = "(not in the history)"
"""The line of a layer of an image that has no history."""

LINE_UNKNOWN: Final = "(line unknown)"
"""The line of a layer where history and layers do not fit together."""


def align(
    history: Sequence[HistoryEntry], layers: int, os: str = "linux"
) -> tuple[tuple[Line, ...], HistoryAlignment]:
    """The lines of an image with `layers` layers, and how sure their layers are.

    `exact`: as many entries as layers are not marked empty, and each can make one.
    `inferred`: what the entries say leaves exactly that many.
    `unresolved`: neither; a line for each entry names no layer, and a line for each
    layer names no instruction, so that every byte is still seen.
    """
    texts = [instruction(entry.created_by, entry.comment) for entry in history]
    makers, alignment = _makers(history, texts, layers, os)
    layer_of = {line: layer for layer, line in enumerate(makers)}
    lines = [
        Line(text, entry.created_at, layer_of.get(number))
        for number, (text, entry) in enumerate(zip(texts, history, strict=True))
    ]
    if alignment == "unresolved":
        unexplained = LINE_UNKNOWN if history else NOT_IN_HISTORY
        lines += [Line(unexplained, None, layer) for layer in range(layers)]
    return tuple(lines), alignment


def _makers(
    history: Sequence[HistoryEntry], texts: Sequence[str], layers: int, os: str
) -> tuple[list[int], HistoryAlignment]:
    """The numbers of the entries that made the layers, in order."""
    not_empty = [n for n, entry in enumerate(history) if entry.empty_layer is not True]
    able = [n for n in not_empty if keyword(texts[n]) not in METADATA]
    # On Windows the classic builder commits a layer for every line.
    if len(not_empty) == layers and (len(able) == layers or os == "windows"):
        return not_empty, "exact"
    if len(able) == layers:
        return able, "inferred"
    if all(entry.empty_layer is None for entry in history):
        # `empty_layer` was not served. WORKDIR makes a layer only where it had to
        # make the directory, and the classic builder did not always do that.
        able = [n for n in able if keyword(texts[n]) != "WORKDIR"]
        if len(able) == layers:
            return able, "inferred"
    return [], "unresolved"
