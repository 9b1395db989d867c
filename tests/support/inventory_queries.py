"""What a crawling process asks of an inventory again and again, however large it is.

For an inventory of `large_inventory`, whose repository 98 is an ordinary one.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final, TypeAlias

from sqlalchemy import Connection

from support.images import a_digest
from support.large_inventory import NOW
from support.store_world import a_result
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.store.crawls.chunks import (
    NO_COUNTS,
    Advanced,
    ChunkEnd,
    ChunkRequest,
    has_chunk,
    is_open,
    note_chunk,
    read_overtaken,
    renew_chunks,
    share,
    sum_up,
    take_chunk,
)
from weighbridge.store.crawls.crawl_requests import (
    count_left,
    end_forgotten,
    latest_requests,
    make_repositories_due,
    open_requests,
    put_request,
    quiet_moments,
)
from weighbridge.store.crawls.crawl_rows import Closing, close_many
from weighbridge.store.crawls.due import (
    Opened,
    Slice,
    free_left_behind,
    have_due,
    is_any_due,
    open_many,
    open_slice,
    park_poison,
    put_off,
)
from weighbridge.store.leases.claiming import Opening, claim, give_up, release, renew
from weighbridge.store.leases.validity import find_ahead
from weighbridge.store.pushes.inbox import (
    PushedTo,
    end_check,
    find_known,
    inbox,
    next_due,
    pushed_to,
    tags_at,
    take,
    too_soon,
    waiting_for_whole,
)
from weighbridge.store.registries.repository_rows import (
    note_listed,
    put_repositories,
)
from weighbridge.store.reports.crawls import (
    CrawlQuery,
    crawl_page,
    find_waiting,
    registries_waiting,
    repositories_waiting,
)
from weighbridge.store.reports.inventory import (
    registry_freshness,
    registry_reports,
    snapshot_version,
)
from weighbridge.store.reports.repositories import (
    SORTS,
    RepositoryQuery,
    find_repository,
    repository_page,
)
from weighbridge.store.reports.search import search
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.reports.violations import ViolationQuery, violation_page

Asks: TypeAlias = Callable[[Connection], object]

TABLES: Final = (
    "repositories",
    "repository_summaries",
    "repository_manifests",
    "tags",
    "blobs",
    "images",
    "crawls",
    "pushes",
)
"""Those that are as large as the inventory."""

_HUB: Final = 1
_ONE: Final = 98
_NAME: Final = "team-1/service-98"
_TO: Final = PushedTo("hub", _NAME)
_HOUR: Final = timedelta(hours=1)


def _slice(connection: Connection) -> list[Opened]:
    wanted = Slice(_HUB, NOW, 60, "boot:1.17.99/slice", 3600, 200, 128)
    opened = open_slice(connection, wanted)
    assert opened
    return opened


def _crawl(connection: Connection) -> None:
    opened = _slice(connection)
    renew(connection, [one.claim for one in opened], NOW)
    due_at = NOW + _HOUR
    results = close_many(
        connection,
        [
            Closing(one.claim, one.opened.id, a_result(), NOW, due_at, True)
            for one in opened
        ],
    )
    assert set(results) == {None}


def _give_back(connection: Connection) -> None:
    claims = [one.claim for one in _slice(connection)]
    release(connection, claims[:50])
    give_up(connection, claims[50:], NOW + _HOUR)


def _share(connection: Connection) -> None:
    """A chunk, by who has the repository and by who helps."""
    (opened,) = open_many(connection, [Opening(_ONE, NOW, 60)])
    assert opened is not None
    crawl_id = opened.opened.id
    chunks = {number: [TagSeen(f"t{number}")] for number in range(3)}
    share(connection, opened.claim, NOW, crawl_id, chunks, head_first=False)
    assert has_chunk(connection, "hub")
    for wanted in (
        ChunkRequest(NOW, 60, "boot:1.17.99/other", registry_id=_HUB, but_not=(1, 2)),
        ChunkRequest(NOW, 60, "boot:1.17.99/own", crawl_id=crawl_id),
    ):
        chunk = take_chunk(connection, wanted)
        assert chunk is not None
        renew_chunks(connection, [chunk.key], NOW)
        read_overtaken(connection, crawl_id)
        done = Advanced(chunk.key, NOW, 1, ["t0"], ChunkEnd(), is_done=True)
        note_chunk(connection, done, NO_COUNTS)
    assert is_open(connection, crawl_id)
    sum_up(connection, crawl_id)


def _ask(connection: Connection) -> None:
    for names in (None, [_NAME]):
        request = put_request(
            connection,
            _HUB,
            names,
            measures=True,
            now=NOW,
            owner=None,
            lease_s=0,
            resume_s=0,
        )
        make_repositories_due(connection, request, range(1, 100))
        count_left(connection, request, 1)
    quiet_moments(connection, _HUB)


def _requests(connection: Connection) -> None:
    _ask(connection)
    for request in latest_requests(connection, 10):
        count_left(connection, request, 5_000)


def _list(connection: Connection) -> None:
    names = [_NAME, "new/one"]
    put_repositories(connection, _HUB, names, NOW)
    note_listed(connection, _HUB, names)


def _look(connection: Connection) -> None:
    taken = claim(
        connection, _ONE, now=NOW, lease_s=60, owner="boot:1.17.99/push", is_push=True
    )
    assert taken is not None
    end_check(
        connection,
        taken,
        NOW,
        requests=1,
        bytes_read=1,
        is_there=True,
        is_due=True,
    )


TICK: Final[Mapping[str, Asks]] = {
    "what a clock has put off": lambda c: find_ahead(c, NOW),
    "leases of processes that ended": lambda c: free_left_behind(c, NOW),
    "what ends its process": lambda c: park_poison(c, NOW),
    "what is due": lambda c: is_any_due(c, "hub", NOW),
    "what is put off": lambda c: put_off(c, range(3, 2000, 20), NOW + _HOUR),
    "what is shared": lambda c: has_chunk(c, "hub"),
    "what is pushed": lambda c: pushed_to(c, NOW, 500),
    "what somebody waits for": open_requests,
    "what nobody sees to": lambda c: end_forgotten(c, NOW, 3600),
    "what waits of each registry": lambda c: registries_waiting(c, NOW),
}
CRAWL: Final[Mapping[str, Asks]] = {
    "a slice, from its beginning to its end": _crawl,
    "a slice that is given back": _give_back,
    "some that are named": lambda c: open_many(
        c, [Opening(number, NOW, 60) for number in range(1, 100)]
    ),
    "some that are listed": _list,
    "some that are wished for": lambda c: have_due(c, range(1, 100), NOW),
    "some that somebody asked for": _ask,
    "one that is shared": _share,
}
PUSH: Final[Mapping[str, Asks]] = {
    "the repository": lambda c: find_known(c, _TO, NOW),
    "a look": _look,
    "what waits": lambda c: take(c, _TO, NOW),
    "what waits for all of it": lambda c: waiting_for_whole(c, [_TO]),
    "when the next is due": lambda c: next_due(c, _TO),
    "what was looked at just now": lambda c: too_soon(c, _TO, NOW),
    "how much waits": inbox,
    "the tags of a digest": lambda c: tags_at(c, _ONE, a_digest("x"), 10),
}
SEARCHES: Final = ("repositories by a text in their name", "a search")
"""What looks through as many names as one question may: no index has them."""
WALKED: Final = frozenset({"crawls"})
"""Read in the order of their ids, no further than the page."""
LISTS: Final[Mapping[str, Asks]] = {
    "repositories": lambda c: repository_page(c, RepositoryQuery(), NOW),
    "repositories of a registry": lambda c: repository_page(
        c, RepositoryQuery(registry="hub"), NOW
    ),
    **{
        f"repositories by {sort}": partial(
            repository_page, query=RepositoryQuery(sort=sort), now=NOW
        )
        for sort in SORTS
    },
    "repositories by a text in their name": lambda c: repository_page(
        c, RepositoryQuery(q="service-9998"), NOW
    ),
    "a search": lambda c: search(c, "service-9998", 100),
    "repositories that violate something": lambda c: repository_page(
        c, RepositoryQuery(violating=True), NOW
    ),
    "registries": registry_reports,
    "how old registries are": registry_freshness,
    "the version of a snapshot": snapshot_version,
    "a repository": lambda c: find_repository(c, "hub", _NAME),
    "crawls": lambda c: crawl_page(c, CrawlQuery()),
    "crawls of a registry": lambda c: crawl_page(c, CrawlQuery(registry="hub")),
    "crawls of a repository": lambda c: crawl_page(
        c, CrawlQuery(registry="hub", repository=_NAME)
    ),
    "tags": lambda c: tag_page(c, "hub", _NAME),
    "violations": lambda c: violation_page(c, ViolationQuery(), NOW),
    "requests": _requests,
    "what waits of a registry": lambda c: repositories_waiting(c, "hub", NOW, 100),
    "why a repository waits": lambda c: find_waiting(c, "hub", _NAME, NOW),
}
