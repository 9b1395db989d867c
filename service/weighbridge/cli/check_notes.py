"""What a check could not compare, in words."""

from collections.abc import Iterator

from weighbridge.cli.check_words import Quote
from weighbridge.domain.check import Check
from weighbridge.domain.printable import printable


def notes_of(check: Check, quote: Quote = printable) -> list[str]:
    """What was not compared, a sentence each."""
    return list(_notes(check, quote))


def _notes(check: Check, quote: Quote) -> Iterator[str]:
    before = "" if check.against is None else quote(check.against.reference)
    for platform in check.not_before:
        yield f"{before} has no {quote(str(platform))}: nothing to compare with"
    for platform in check.gone:
        yield f"{before} has {quote(str(platform))}, this image does not"
    if (without := check.without_baseline) and not check.not_before:
        names = ", ".join(quote(str(platform)) for platform in without)
        yield (f"growth of {names} was not judged: too few images before it are known")
