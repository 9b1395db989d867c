"""What can go wrong at a registry, each as something that a seed decides.

A row does to a proxy what its seed says. Whatever that is: at every moment each tag
has its old or its new record, and one crawl without trouble comes to what a crawl
that never had any comes to.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, TypeAlias

from support.fake_clock import START
from support.fault_proxy import FaultProxy
from support.faults import (
    RETRY_AFTERS,
    Answer,
    Cut,
    Delay,
    Drip,
    Fault,
    Reset,
    RetryAfter,
    Silence,
    Stray,
    error,
    flipped_byte,
    listing_altered,
    page_for_people,
    pages_of,
    status,
    too_many_requests,
)
from support.faulty_crawls import CrawledDatabase, watching
from support.hasty_crawls import Hasty
from support.images_oci import OCI_MANIFEST, made_image
from support.two_moments import TwoMoments

Row: TypeAlias = Callable[[FaultProxy, Random], object]

DEADLINE_S: Final = 1.0
_SHARE: Final = 0.3
"""Of the requests that are spoilt where a fault passes."""
_FEW: Final = 0.03
"""Of those that cost a deadline each."""
_REQUESTS: Final = 160
"""So many does a crawl of the registry take, about."""
_FORGED: Final = Answer(
    200, (("Content-Type", OCI_MANIFEST),), made_image(label="forged").manifest
)

PASSING: Final[Mapping[str, Fault]] = {
    "f03-seconds": too_many_requests("seconds"),
    "f03-unix": too_many_requests("unix", now=lambda: START),
    "f04-500": status(500),
    "f04-502": status(502),
    "f04-503": status(503),
    "f04-504": status(504),
    "f04-408": status(408),
    "f04-page": page_for_people(503),
    "f05-cut": Cut(),
    "f05-cut-reset": Cut(is_reset=True),
    "f05-reset-before": Reset("before"),
    "f05-reset-headers": Reset("headers"),
    "f05-reset-body": Reset("body"),
    "f05-stray": Stray(_FORGED),
    "f05-stray-late": Stray(_FORGED, after_s=0.002),
}
"""Faults that pass: another attempt may go well. Dates are those of the clock by which
these crawls wait, so that they are no absurd ones."""
LASTING: Final[Mapping[str, Fault]] = {
    "f03-absurd": too_many_requests("absurd"),
    "f09-401": error(401, "UNAUTHORIZED"),
    "f09-403": error(403, "DENIED"),
    "f11-404": error(404, "MANIFEST_UNKNOWN"),
}
"""Faults that nobody tries again in the same crawl."""


def _at_random(fault: Fault, chance: float) -> Row:
    return lambda proxy, _: proxy.spoil(fault, chance=chance)


def _goes_down(proxy: FaultProxy, chosen: Random) -> None:
    proxy.before(proxy.go_down, since=chosen.randrange(1, _REQUESTS))


def _refuses_from(number: int, code: str) -> Row:
    return lambda proxy, chosen: proxy.spoil(
        error(number, code), since=chosen.randrange(1, _REQUESTS)
    )


def _lists_half(proxy: FaultProxy, chosen: Random) -> None:
    # Each answers when it is asked, so that nothing is gone.
    proxy.spoil(listing_altered(lambda names: names[: len(names) // 2]), kind="catalog")


def _later_page_fails(proxy: FaultProxy, chosen: Random) -> None:
    faults: list[Fault] = [status(500), Reset("body"), error(404, "NAME_UNKNOWN")]
    proxy.spoil(chosen.choice(faults), kind="tags", target="last=", chance=0.7)
    proxy.spoil(pages_of(chosen.randrange(5, 20)), kind="tags")


def _retry_after(form: RetryAfter) -> Row:
    answer = too_many_requests(form, now=lambda: START)
    return _at_random(answer, 0.01 if form == "absurd" else _SHARE)


_ROWS_OF_F03: Final[Mapping[str, Row]] = {
    f"f03-{form}": _retry_after(form) for form in RETRY_AFTERS
}
_ROWS_OF_PASSING: Final[Mapping[str, Row]] = {
    name: _at_random(fault, _SHARE)
    for name, fault in PASSING.items()
    if not name.startswith("f03")
}
ROWS: Final[Mapping[str, Row]] = {
    "f01-down": _goes_down,
    "f02-latency": _at_random(Delay(0.02), 0.5),
    "f02-drip": _at_random(Drip(every_s=0.2), _FEW),
    **_ROWS_OF_F03,
    **_ROWS_OF_PASSING,
    "f06-silence": _at_random(Silence(), _FEW),
    "f07-manifests": lambda proxy, _: proxy.spoil(
        flipped_byte(), kind="manifest", method="GET", chance=_SHARE
    ),
    "f07-blobs": lambda proxy, _: proxy.spoil(
        flipped_byte(), kind="blob", chance=_SHARE
    ),
    "f09-401": _refuses_from(401, "UNAUTHORIZED"),
    "f09-403": _refuses_from(403, "DENIED"),
    "f09-half-a-catalog": _lists_half,
    "f10-later-page": _later_page_fails,
    "f11-404": lambda proxy, _: proxy.spoil(
        LASTING["f11-404"], kind="manifest", chance=0.1
    ),
}


def spoil_by_seed(proxy: FaultProxy, faults: Mapping[str, Fault], seed: int) -> None:
    """Some of the faults, together as often as _SHARE says, each at random."""
    chosen = Random(seed).sample(list(faults.values()), k=min(5, len(faults)))  # noqa: S311 - a test's choice
    for fault in chosen:
        proxy.spoil(fault, chance=_SHARE / len(chosen))
    proxy.spoil(pages_of(10), kind="tags")


def assert_nothing_lost(
    moments: TwoMoments, database: CrawledDatabase, proxy: FaultProxy, *, crawls: int
) -> None:
    """Crawl so often through the faults, then once without: `unharmed` meanwhile,
    `caught up` at the end. The database's fixture verifies its totals."""
    with watching(database) as watch:
        for _ in range(crawls):
            Hasty(DEADLINE_S).crawl(database, proxy.url)
    moments.assert_unharmed(watch)
    proxy.heal()
    proxy.come_up()
    database.crawl(proxy.url)
    moments.assert_caught_up(database)
