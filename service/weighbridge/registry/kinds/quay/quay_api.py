"""The listings of Quay's own API, `/api/v1`, in the shapes that its source gives them
(quay/quay: endpoints/api/repository.py, endpoints/api/tag.py).

A token that has ended, or is none, is not refused there: Quay answers as it would to
nobody (auth/decorators.py). A listing of repositories is then shorter, or empty, with
a 200. So whoever has a token asks in the end whether Quay knew it (`check_token`).
"""

import re
from collections.abc import AsyncIterator, Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from weighbridge.domain import limits
from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.limits import MIB
from weighbridge.domain.registry.listing import TagSeen
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.traffic.pulls import PullCount, read_pulls
from weighbridge.errors import AuthError, InvalidReference, ListingError
from weighbridge.registry.exchange.paced_exchange import PacedExchange
from weighbridge.registry.exchange.paging import (
    ListingPage,
    page_members,
    unusable_page,
)
from weighbridge.registry.exchange.vendor_api import (
    PAGE,
    VendorAPI,
    read_digest,
    read_size,
)
from weighbridge.registry.login.credentials import bearer

_LISTING: Final = "Quay's listing"
MOST_TAGS: Final = 100
"""The most that a page of tags gives; a longer one is cut to it."""
LIST_BYTES: Final = 32 * MIB
"""Of the repositories of a namespace, which are on one page, each with the description
that people have written."""
_NEXT_PAGE: Final = re.compile(r"[!-~]{1,4096}", re.ASCII)
# RFC 2822 as Python's `formatdate` writes it, which is what Quay calls.
_DATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep"
    r"|Oct|Nov|Dec) (?:19[7-9]|[2-9]\d\d)\d \d{2}:\d{2}:\d{2} (?:[+-]\d{4}|GMT)",
    re.ASCII,
)
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999."""
_NO_USER: Final = frozenset((400, 401))
_POPULARITY_DAYS: Final = 7
_POPULARITY_S: Final = _POPULARITY_DAYS * 24 * 3600
"""`popularity` is what was done in a repository in the last week: pulls, by HEAD too,
and all else that is in its log (data/model/log.py of quay/quay,
get_repositories_action_sums)."""
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_quay_repositories(raw: bytes, namespace: str = "") -> ListingPage:
    """A page of `/api/v1/repository`. Raises DocumentError(invalid_listing, ...).

    namespace: whose were asked for, "" for all; entries of another one are counted as
               invalid

    What holds no images, or is about to be deleted, is left out.
    """
    page = page_members(raw, _LISTING)
    entries = [entry for entry in _entries(page, "repositories") if _is_meant(entry)]
    names = [_repository(entry, namespace) for entry in entries]
    pulls = {
        name: PullCount(number, "actions", _POPULARITY_S)
        for name, entry in zip(names, entries, strict=True)
        if name is not None and isinstance(entry, dict)
        if (number := read_pulls(entry.get("popularity"))) is not None
    }
    return ListingPage(
        tuple(dict.fromkeys(name for name in names if name is not None)),
        names.count(None),
        next=_next_page(page),
        pulls=pulls,
    )


def parse_quay_pulls(raw: bytes) -> PullCount | None:
    """The last seven days of `stats` of `/api/v1/repository/NAMESPACE/NAME`, which is
    what `popularity` is in a listing. Raises DocumentError(invalid_listing, ...)."""
    days: dict[str, int] = {}
    stats = page_members(raw, _LISTING).get("stats")
    for day in stats if isinstance(stats, list) else ():
        number = read_pulls(day.get("count")) if isinstance(day, dict) else None
        date = day.get("date") if isinstance(day, dict) else None
        if number is None or not isinstance(date, str) or not _DAY.fullmatch(date):
            return None
        days[date] = number
    last = sorted(days)[-_POPULARITY_DAYS:]
    if len(last) < _POPULARITY_DAYS:
        return None
    return PullCount(sum(days[date] for date in last), "actions", _POPULARITY_S)


def _next_page(page: dict[str, object]) -> str | None:
    following = page.get("next_page")
    if following is None:
        return None
    if isinstance(following, str) and _NEXT_PAGE.fullmatch(following):
        return following
    raise unusable_page(_LISTING, "its next_page is none")


def _is_meant(entry: object) -> bool:
    if not isinstance(entry, dict):
        return True
    is_image = entry.get("kind", "image") in ("image", None)
    return is_image and entry.get("state") != "MARKED_FOR_DELETION"


def _repository(entry: object, namespace: str) -> str | None:
    if not isinstance(entry, dict):
        return None
    owner, name = entry.get("namespace"), entry.get("name")
    if not isinstance(owner, str) or not isinstance(name, str):
        return None
    if namespace not in ("", owner) or "/" in owner:
        return None
    full = f"{owner}/{name}"
    return full if is_repository_name(full) else None


def parse_quay_tags(raw: bytes) -> ListingPage:
    """A page of `/api/v1/repository/NAMESPACE/NAME/tag/`. Raises
    DocumentError(invalid_listing, ...)."""
    page = page_members(raw, _LISTING)
    entries = [_tag(entry) for entry in _entries(page, "tags")]
    tags: dict[str, TagSeen] = {}
    for tag in entries:
        if tag is not None:
            tags.setdefault(tag.name, tag)
    has_more = _has_more(page)
    return ListingPage(
        tuple(tags),
        entries.count(None),
        tuple(tags.values()),
        next="more" if has_more else None,
    )


def _tag(entry: object) -> TagSeen | None:
    if not isinstance(entry, dict) or not is_tag(name := entry.get("name")):
        return None
    digest, size = read_digest(entry.get("manifest_digest")), None
    # Of a list the size is null, or of something else than one image.
    if entry.get("is_manifest_list") is False:
        size = read_size(entry.get("size"))
    sizes = () if digest is None or size is None else ((digest, size),)
    return TagSeen(str(name), digest, _pushed_at(entry), sizes)


def _pushed_at(entry: dict[str, object]) -> datetime | None:
    started = entry.get("start_ts")
    if type(started) is int and 0 < started <= _LAST_SECOND:
        return datetime.fromtimestamp(started, UTC)
    return read_mail_date(entry.get("last_modified"))


def read_mail_date(value: object) -> datetime | None:
    """RFC 2822, in UTC; `-0000` is UTC. None for what is none."""
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        # A date with `-0000` comes without a zone.
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _entries(page: dict[str, object], key: str) -> list[object]:
    # An absent list says nothing; taken as an empty one it would delete everything.
    entries = page.get(key)
    if not isinstance(entries, list):
        raise unusable_page(_LISTING, f"it has no list of {key}")
    return entries


def _has_more(page: dict[str, object]) -> bool:
    """Raises DocumentError where it cannot be told whether this is the last page."""
    has_more = page.get("has_additional")
    if not isinstance(has_more, bool):
        raise unusable_page(_LISTING, "it does not say whether there is a next page")
    return has_more


class TagPages:
    """The pages of one listing of tags, one after the other.

    Quay lists the newest tag first and says nowhere how many there are. A deletion
    while pages are read moves later tags up, the first of the next page onto one that
    was read: it is on no page, and nothing shows it. So a tag that is on no page is not
    deleted before the registry was asked for it (`TagPage.tags_may_move`).

    url: of the listing, without a query
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._page = 1

    @property
    def asked(self) -> str:
        """The URL of the page that is to be read now."""
        asked = f"limit={MOST_TAGS}&page={self._page}&onlyActiveTags=true"
        return f"{self._url}?{asked}"

    def read(self, raw: bytes) -> ListingPage:
        """Raises DocumentError, and ListingError(listing_changed) where a page that
        there was has nothing any more."""
        page = page_members(raw, _LISTING)
        entries, has_more = _entries(page, "tags"), _has_more(page)
        if page.get("page", self._page) != self._page:
            raise unusable_page(_LISTING, "it is not the page that was asked for")
        if len(entries) > MOST_TAGS or (has_more and len(entries) < MOST_TAGS):
            raise unusable_page(_LISTING, "it has another length than was asked for")
        if self._page > 1 and not entries:
            raise ListingError(
                "the listing changed while it was read: its last page is empty",
                code="listing_changed",
                hint="the next crawl reads it again",
                retryable=True,
            )
        return parse_quay_tags(raw)

    def following(
        self, url: str, answer: httpx.Response, page: ListingPage
    ) -> str | None:
        """The next page's URL, if this page says that there is one."""
        if page.next is None:
            return None
        self._page += 1
        return self.asked


class TokenHeader(httpx.Auth):
    """Shows the OAuth token, which lasts for years: none is asked for."""

    def __init__(self, token: Secret) -> None:
        self._authorization = bearer(token)

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response]:
        """The request with the token."""
        request.headers["Authorization"] = self._authorization.reveal()
        yield request


class QuayAPI(VendorAPI):
    """has_token: whether `http` shows one"""

    def __init__(
        self,
        http: httpx.AsyncClient,
        exchange: PacedExchange,
        url: str,
        *,
        has_token: bool,
    ) -> None:
        super().__init__(http, exchange, url)
        self.has_token = has_token

    def repositories(self, namespace: str = "") -> AsyncIterator[ListingPage]:
        """The repositories that we may see, of one namespace or of all."""
        # One of the two, or `starred`, must be there. Without `public` those that are
        # readable by everybody are missing where we are no members.
        owner = f"namespace={namespace}&" if namespace else ""
        return self.listing(
            f"{self.url}/api/v1/repository?{owner}public=true&popularity=true",
            lambda raw: parse_quay_repositories(raw, namespace),
            _by_next_page,
            most=limits.REPOSITORIES_PER_REGISTRY,
            is_exact=False,
        )

    def tags(self, repository: str) -> AsyncIterator[ListingPage]:
        """The tags of one repository that are not deleted, newest first. Raises
        InvalidReference too."""
        pages = TagPages(f"{self._of(repository)}/tag/")
        return self.listing(
            pages.asked,
            pages.read,
            pages.following,
            most=limits.TAGS_PER_REPOSITORY,
            is_exact=True,
        )

    async def pulls(self, repository: str) -> PullCount | None:
        """What was done in one repository, by its own page. Raises InvalidReference
        too."""
        asked = "includeStats=true&includeTags=false"
        url = f"{self._of(repository)}?{asked}"
        return parse_quay_pulls((await self.ask(url)).content)

    def _of(self, repository: str) -> str:
        if not is_repository_name(repository):
            raise InvalidReference(f"{repository[:80]!r} is no repository name")
        return f"{self.url}/api/v1/repository/{repository}"

    async def send(self, url: str) -> httpx.Response:
        """A page, longer ones too than other APIs have."""
        return await self.http.get(url, extensions=PAGE | {"body_limit": LIST_BYTES})

    async def check_token(self) -> None:
        """Raises AuthError(unauthorized) where Quay does not know the token.

        The starred repositories are the one listing that nobody may ask for without
        being a user; all others are answered as if there were no token.
        """
        sent = PAGE | {"handles": _NO_USER}
        url = f"{self.url}/api/v1/repository?starred=true"
        response = await self.http.get(url, extensions=sent)
        if response.status_code not in _NO_USER:
            return
        error = AuthError(
            "Quay does not know the token of its API: it has ended, was revoked, or is"
            " none",
            code="unauthorized",
            hint="make another one, with the right to view repositories, and write it"
            " to `api_token_file` or `api_token`",
        )
        self.counts.note_failure("bulk", error)
        raise error


def _by_next_page(url: str, answer: httpx.Response, page: ListingPage) -> str | None:
    """The next page by the token that this one gives, which says nothing to us."""
    if page.next is None:
        return None
    return str(httpx.URL(url).copy_set_param("next_page", page.next))
