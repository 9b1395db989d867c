"""Tables for people: cells side by side, each column as wide as its widest cell."""

from collections.abc import Sequence

from weighbridge.presentation.forms.screen import Screen, columns


def aligned(
    rows: Sequence[Sequence[str]], screen: Screen, *, gap: int = 3, margin: int = 0
) -> list[str]:
    """A line for each row, cut where the screen ends.

    gap:    spaces between two columns, at least
    margin: spaces before the first
    """
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return [
        screen.cut(
            " " * margin
            + (" " * gap)
            .join(
                text + " " * (width - columns(text))
                for text, width in zip(row, widths, strict=True)
            )
            .rstrip()
        )
        for row in rows
    ]
