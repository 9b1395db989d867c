"""What a check had nothing to compare with, in words."""

from collections.abc import Iterator

from weighbridge.domain.check.image_check import ImageCheck
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.check.findings import Quote
from weighbridge.presentation.forms.phrases import plural


def notes_of(check: ImageCheck, quote: Quote = printable) -> list[str]:
    """What was not compared, a sentence each."""
    return list(_notes(check, quote))


def _notes(check: ImageCheck, quote: Quote) -> Iterator[str]:
    before = "" if check.against is None else quote(check.against.reference)
    for platform in check.not_before:
        yield f"{before} has no {quote(str(platform))}: nothing to compare with"
    for platform in check.missing:
        yield f"{before} has {quote(str(platform))}, this image does not"
    for image in check.without_baseline:
        name = str(image.platform)
        count = len(check.rules.earlier.before(name, image.digest))
        yield f"{_few(count, quote(name))}, so that its growth passes"


def _few(count: int, platform: str) -> str:
    if not count:
        return f"no earlier image of {platform} exists"
    images = plural(count, "earlier image")
    verb = "is" if count == 1 else "are"
    return (
        f"there {verb} only {images} of {platform}, and growth is counted from three on"
    )
