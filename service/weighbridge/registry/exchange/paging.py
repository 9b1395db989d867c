"""Following a listing to its end by `Link`, and never anywhere else."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final, TypeAlias, TypeVar

import httpx
from msgspec import Struct, field

from weighbridge.domain.registry.listing import RepositoryListing, TagPage, TagSeen
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.domain.traffic.pulls import PullCount
from weighbridge.errors import DocumentError, ListingError, WeighbridgeError
from weighbridge.net.guard.addresses import origin
from weighbridge.registry.exchange.registry_request import RegistryAnswer

PAGE_LENGTH: Final = 1000
"""distribution's own cap (`catalog.maxentries`); more is a 400 there."""
_LINK_CHARACTERS: Final = 16 * 1024
_PAGES: Final = 20_000
"""A million repositories by fifty, which is the shortest page that registries make."""
_EMPTY_PAGES: Final = 100
"""So many in a row without a name are not on their way anywhere."""

# RFC 8288 3: <target> and parameters; the commas between links are skipped.
_TARGET: Final = re.compile(r"[ \t,]*<([^<>]*+)>")
_PARAM: Final = re.compile(
    r"[ \t]*;[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]*+)(?:[ \t]*=[ \t]*"
    r'(?:"((?:[^"\\]|\\.)*+)"|([^ \t;,"]*+)))?'
)
_VISIBLE: Final = re.compile(r"[!-\[\]-~]{1,8192}")  # no backslash


class ListingPage(Struct, frozen=True):
    """What a page of a listing brings.

    names:   well-formed ones, once each, in the registry's order
    invalid: entries that are none
    tags:    what is told of each name, where these are tags
    total:   entries of the whole listing, None where it is not said
    next:    what the page itself names as the next one
    key:     what tells this page from others, "" where its first name does
    pulls:   of repositories, how much was pulled, where that is told
    """

    names: tuple[str, ...]
    invalid: int
    tags: tuple[TagSeen, ...] = ()
    total: int | None = None
    next: str | None = None
    key: str = ""
    pulls: Mapping[str, PullCount] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The page's key, where it has none its first name, or "" for neither."""
        return self.key or next(iter(self.names), "")

    @property
    def entries(self) -> int:
        """How many, with those that are not well-formed."""
        return len(self.names) + self.invalid

    def as_repositories(self) -> RepositoryListing:
        return RepositoryListing(self.names, self.invalid, self.pulls)

    def as_tags(self, *, tags_may_move: bool = False) -> TagPage:
        return TagPage(self.tags, self.invalid, tags_may_move)


def page_members(raw: bytes, listing: str) -> dict[str, object]:
    """A page that is a JSON object. listing: whose it is, for the message. Raises
    DocumentError(invalid_listing, ...)."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise unusable_page(listing, "it is not a JSON object")
    return value


def unusable_page(listing: str, reason: str) -> DocumentError:
    return DocumentError(
        f"a page of {listing} is unusable: {reason}", code="invalid_listing"
    )


AnswerT = TypeVar("AnswerT")
FindNext: TypeAlias = Callable[[str, AnswerT, ListingPage], str | None]
"""From a page's URL, its answer, and what was read of it to the next page's URL."""


def by_link(url: str, answer: RegistryAnswer, page: ListingPage) -> str | None:
    """The next page by the `Link` header (distribution-spec, "Listing Tags")."""
    links = answer.headers.get_list("link")
    # Most listings are of one page: their URL is not even parsed.
    following = next_url(httpx.URL(url), links) if links else None
    return None if following is None else str(following)


async def pages(
    ask: Callable[[str], Awaitable[AnswerT]],
    first_url: str,
    parse: Callable[[AnswerT], ListingPage],
    find_next: FindNext[AnswerT],
) -> AsyncIterator[ListingPage]:
    """All pages of a listing: `ask` gets the URLs, `parse` reads the answers.

    A page may be short and still have a next one, or full and be the last: only
    `find_next` tells. An error after good pages is a ListingError with the code of its
    cause; before them it is the cause itself.
    """
    url: str | None = first_url
    seen, is_begun = _SeenPages(), False
    while url is not None:
        try:
            seen.note_url(url)
            answer = await ask(url)
            page = parse(answer)
            seen.note_first(page.first)
        except WeighbridgeError as exc:
            if not is_begun or isinstance(exc, ListingError):
                raise
            raise _broken_off(exc) from exc
        # A page is good, whatever its Link turns out to be.
        yield page
        is_begun = True
        url = find_next(url, answer, page)


class _SeenPages:
    """What has been asked and got, so that a listing must move on."""

    def __init__(self) -> None:
        self._urls: set[str] = set()
        self._firsts: set[str] = set()
        self._empty_pages = 0

    def note_url(self, url: str) -> None:
        if url in self._urls:
            raise _loop("its next page is one that was read before")
        if len(self._urls) >= _PAGES:
            raise _loop(f"it has more than {_PAGES} pages")
        self._urls.add(url)

    def note_first(self, name: str) -> None:
        # A server that ignores `last` serves the same page under ever new links.
        if name in self._firsts:
            raise _loop(f"two pages begin with {name!r}")
        if name:
            self._firsts.add(name)
        self._empty_pages = 0 if name else self._empty_pages + 1
        if self._empty_pages > _EMPTY_PAGES:
            raise _loop(f"{_EMPTY_PAGES} pages in a row bring no name")


def next_url(current: httpx.URL, links: list[str]) -> httpx.URL | None:
    """The next page by the `Link` header's values, or None on the last.

    Scheme, host, port and path stay as they are: the next page of a listing is
    the same listing. A registry that does not know of the prefix that a proxy puts
    before it names the path without it. Raises ListingError(link_refused).
    """
    target = linked(links, "next")
    if target is None:
        return None
    url = same_origin(current, target)
    path, own = _path(url), _path(current)
    if path == own:
        return url
    if not (path.startswith(b"/v2/") and own.endswith(path)):
        raise _refused("it leads to another path")
    return url.copy_with(raw_path=own + url.raw_path.removeprefix(path))


def linked(links: list[str], relation: str) -> str | None:
    """What the `Link` header's values name by this relation, unchecked; None where they
    do not. Raises ListingError(link_refused) where that cannot be told."""
    targets = [target for target, relations in _links(links) if relation in relations]
    if len(targets) > 1:
        raise _refused(f"it names several {relation} pages")
    return targets[0] if targets else None


def same_origin(current: httpx.URL, target: str) -> httpx.URL:
    """Where a page says that the next one is. Raises ListingError(link_refused) for
    another scheme, host or port than its own."""
    if not _VISIBLE.fullmatch(target):
        raise _refused("it is no URL")
    try:
        url = current.join(target).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError) as exc:
        raise _refused("it is no URL") from exc
    if origin(url) != origin(current) or url.userinfo:
        raise _refused("it leads to another address")
    return url


def _path(url: httpx.URL) -> bytes:
    return url.raw_path.partition(b"?")[0]


def _links(values: list[str]) -> Iterator[tuple[str, frozenset[str]]]:
    if sum(map(len, values)) > _LINK_CHARACTERS:
        raise _refused("it is too long")
    for value in values:
        at = 0
        while link := _TARGET.match(value, at):
            relations: frozenset[str] = frozenset()
            at = link.end()
            while param := _PARAM.match(value, at):
                at = param.end()
                if param[1].lower() == "rel" and not relations:
                    relation = param[2] if param[2] is not None else param[3] or ""
                    relations = frozenset(relation.lower().split())
            yield link[1], relations
        if value[at:].strip(" \t,"):
            # What cannot be read might have been the way to the next page.
            raise _refused("it cannot be read")


def _refused(reason: str) -> ListingError:
    return ListingError(
        f"the link to the next page is not followed: {reason}",
        code="link_refused",
        hint="the registry, or a proxy before it, must name its own address there",
    )


def _loop(reason: str) -> ListingError:
    return ListingError(f"the listing repeats itself: {reason}", code="pagination_loop")


def _broken_off(cause: WeighbridgeError) -> ListingError:
    return ListingError(
        f"the listing broke off: {cause.message}",
        code=cause.code,
        hint=cause.hint,
        retryable=cause.retryable,
        retry_after=cause.retry_after,
    )
