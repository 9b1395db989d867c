"""What would make an image lighter, as people read it in a terminal or a comment."""

from collections.abc import Iterator

from msgspec.structs import replace

from weighbridge.domain.advice.own_lines import Advice
from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.report.lighter import Lighter
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes
from weighbridge.presentation.forms.csv_json_markdown import code
from weighbridge.presentation.forms.screen import Screen, columns

_HEADING = "What would make it lighter, compressed:"


def lighter_text(lighter: Lighter, screen: Screen) -> str:
    """A paragraph for each saving and advice, its bytes before it; "" for none."""
    rows = [*_savings(lighter, screen), *_advice(lighter, screen)]
    if not rows:
        return ""
    width = max(columns(amount) for amount, _ in rows)
    paragraphs = (_beside(f"  {a:>{width}}  ", text, screen) for a, text in rows)
    return "\n".join([_HEADING, *paragraphs])


def lighter_markdown(lighter: Lighter, screen: Screen) -> str:
    """The same as a list."""
    rows = [*_savings(lighter, screen), *_advice(lighter, screen)]
    if not rows:
        return ""
    items = (f"- {amount}: {code(text)}" for amount, text in rows)
    return "\n".join([_HEADING, "", *items])


def _savings(lighter: Lighter, screen: Screen) -> Iterator[tuple[str, str]]:
    for saving in lighter.savings or ():
        variant = name_in_from(saving.variant.reference)
        weight = format_bytes(saving.variant.compressed_bytes, iec=screen.iec)
        text = (
            f"FROM {variant} in place of {name_in_from(saving.base)}: {weight} "
            f"measured. Caution: {saving.caution}."
        )
        yield format_bytes(saving.saved_bytes, iec=screen.iec), printable(text)


def _advice(lighter: Lighter, screen: Screen) -> Iterator[tuple[str, str]]:
    for advice in lighter.advice:
        yield _amount(advice, screen), printable(advice.text)


def _amount(advice: Advice, screen: Screen) -> str:
    """`280 MB`, `~8.00 MB` for an estimate, `?` where it is not known."""
    if advice.saved_bytes is None:
        return "?"
    mark = "~" if advice.is_estimate else ""
    return f"{mark}{format_bytes(advice.saved_bytes, iec=screen.iec)}"


def _beside(start: str, text: str, screen: Screen) -> str:
    """The text behind its start, over as many lines as it needs."""
    if screen.width is None:
        return start + text
    room = replace(screen, width=screen.width - columns(start))
    first, *rest = room.wrapped(text).splitlines()
    return "\n".join([start + first, *(" " * columns(start) + line for line in rest)])
