"""From what somebody asked for to what the store has, or a 404 that says why."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace as replace_fields
from datetime import datetime
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request

from weighbridge.domain.access.principal import ANYBODY, NOTHING, Principal, Sight
from weighbridge.domain.comparison.comparison import Comparison, compare_weighings
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import Platform, parse_platform
from weighbridge.domain.image.reference import written_tag
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.reclaim.keep_rules import NOTHING_CHOSEN, ReclaimChoice
from weighbridge.domain.reclaim.reclaim_report import ReclaimReport
from weighbridge.domain.report.history import HistoryReport
from weighbridge.domain.report.inventory import (
    DisputeReport,
    Page,
    RegistryFreshness,
    RegistryReport,
    RepositoryCrawlReport,
    RepositoryReport,
    TagReport,
)
from weighbridge.domain.report.lighter import Lighter, of_this_image_alone
from weighbridge.domain.report.traffic import TrafficReport
from weighbridge.domain.report.violation import ViolationReport
from weighbridge.domain.size.weighing import Weighing
from weighbridge.domain.traffic.costs import Prices
from weighbridge.errors import UsageError
from weighbridge.store.bases.builds_on_base import CountedBase
from weighbridge.store.named_rows import find_place
from weighbridge.store.registries.seen_registries import last_crawls, seen_registries
from weighbridge.store.reports.crawls import CrawlQuery, crawl_page, find_crawl
from weighbridge.store.reports.disputes import DisputeQuery, dispute_page
from weighbridge.store.reports.history import HistoryQuery, history_page
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.reports.lighter import find_lighter
from weighbridge.store.reports.reclaim import reclaim_by_rules
from weighbridge.store.reports.repositories import (
    RepositoryQuery,
    repository_page,
)
from weighbridge.store.reports.search import SearchResult, search
from weighbridge.store.reports.tag_groups import TagGroups, group_page
from weighbridge.store.reports.tag_moves import target_before
from weighbridge.store.reports.tags import aliases, tag_page
from weighbridge.store.reports.traffic import (
    TrafficQuery,
    find_months,
    find_traffic,
    traffic_page,
)
from weighbridge.store.reports.violations import ViolationQuery, violation_page
from weighbridge.store.reports.weighings import find_weighing
from weighbridge.store.session import Connection, Database
from weighbridge.store.tags.whereabouts import Whereabouts, find_whereabouts
from weighbridge.web.request.answers import Refusal
from weighbridge.web.request.kept_bases import KeptBases
from weighbridge.web.request.principal import principal_of
from weighbridge.web.request.repository_names import named_repository, reading_of
from weighbridge.web.request.sight import Sights
from weighbridge.web.request.threads import Threads
from weighbridge.web.request.unknown_names import (
    check_names,
    no_image,
    no_platform,
    no_repository,
    no_tag,
)

T = TypeVar("T")
R = TypeVar("R", RegistryFreshness, RegistryReport)

RULES_TAGS: Final = 500
"""The page of a repository holds the rules against so many of its tags."""
BEFORE: Final = 20
"""Steps of a history among which the image before another one is looked for."""


class FoundImage(Struct, frozen=True):
    """A weighing with what its page says beside it.

    lighter: one for each image of the weighing
    """

    weighing: Weighing
    aliases: list[str]
    repository: RepositoryReport
    lighter: Sequence[Lighter]
    whereabouts: Whereabouts


class Finder:
    """Each method reads one state of the database, and of it what the principal may
    see.

    principal: who asks; see `seeing`
    sights:    whose repositories are whose; None: nobody asks who is in a team
    Raises InvalidReference, UsageError(invalid_platform) and Refusal(404).
    """

    def __init__(
        self,
        database: Database,
        platforms: Sequence[Platform],
        reclaim: ReclaimChoice = NOTHING_CHOSEN,
        prices: Prices | None = None,
        *,
        principal: Principal = ANYBODY,
        sights: Sights | None = None,
        kept_bases: KeptBases | None = None,
    ) -> None:
        self._kept_bases = kept_bases or KeptBases()
        self._database = database
        self._principal = principal
        self._sights = sights
        self.prices = prices
        self.platforms = platforms
        self.reclaim = reclaim

    def repositories(
        self, query: RepositoryQuery, now: datetime
    ) -> Page[RepositoryReport]:
        """One page of repositories."""
        with self._database.read() as connection:
            sight = self.sight(connection, query.team)
            page = repository_page(connection, query, now, sight)
            if not page.items:
                seen = self.sight(connection)
                check_names(connection, query.registry, sight=seen)
        return page

    def seeing(self, principal: Principal) -> "Finder":
        """The same for one who asks."""
        return Finder(
            self._database,
            self.platforms,
            self.reclaim,
            self.prices,
            principal=principal,
            sights=self._sights,
            kept_bases=self._kept_bases,
        )

    @property
    def sees_all(self) -> bool:
        """Whether the principal sees whatever there is."""
        return self._principal.teams is None

    def sight(self, connection: Connection, team: str | None = None) -> Sight | None:
        """What the principal sees; None: everything. team: see `Sights.seen_by`"""
        if self._sights is None:
            sees_all = self._principal.teams is None and team is None
            return None if sees_all else NOTHING
        return self._sights.seen_by(connection, self._principal, team)

    def crawls(self, query: CrawlQuery) -> Page[RepositoryCrawlReport]:
        """One page of crawls."""
        return self._page(
            lambda c: crawl_page(c, query, self.sight(c, query.team)),
            query.registry,
            query.repository,
        )

    def crawl(self, crawl_id: int) -> RepositoryCrawlReport:
        """One crawl."""
        with self._database.read() as connection:
            report = find_crawl(connection, crawl_id, self.sight(connection))
        if report is None:
            message = f"there is no crawl {crawl_id}"
            raise Refusal(404, message, code="crawl_not_found")
        return report

    def search(self, q: str, limit: int, team: str | None = None) -> SearchResult:
        """Repositories and tags whose name holds the text."""
        with self._database.read() as connection:
            return search(connection, q, limit, self.sight(connection, team))

    def bases(
        self, connection: Connection, now: datetime, team: str | None = None
    ) -> Sequence[CountedBase] | None:
        """What stands on bases of what the principal sees; None: of everything."""
        sight = self.sight(connection, team)
        if sight is None:
            return None
        seer = (self._principal.teams, team)
        return self._kept_bases.find(connection, seer, sight, now)

    def registries(
        self, connection: Connection, team: str | None = None
    ) -> list[RegistryReport]:
        """Those that the principal sees, with the sums over what they see of each."""
        sight = self.sight(connection, team)
        if sight is None:
            return registry_reports(connection)
        return seen_registries(connection, sight)

    def violations(self, query: ViolationQuery, now: datetime) -> Page[ViolationReport]:
        """One page of violations."""
        return self._page(
            lambda c: violation_page(c, query, now, self.sight(c)),
            query.registry,
            query.repository,
        )

    def disputes(self, query: DisputeQuery) -> Page[DisputeReport]:
        """One page of claims that registries contradict."""
        return self._page(
            lambda c: dispute_page(c, query, self.sight(c, query.team)),
            query.registry,
            query.repository,
        )

    def traffic(self, query: TrafficQuery) -> Page[TrafficReport]:
        """One page of what was pulled of repositories in a month."""
        return self._page(
            lambda c: traffic_page(c, query, self.sight(c, query.team)),
            query.registry,
            query.repository,
        )

    def pulls_of(
        self, report: RepositoryReport, month: int
    ) -> tuple[TrafficReport, Sequence[TrafficReport]]:
        """What was pulled of one repository in a month, and in each of the year that
        ends with it, the latest first."""
        with self._database.read() as connection:
            place = find_place(connection, report.registry, report.repository)
            if place is None:
                raise no_repository(report.registry, report.repository, near=())
            now = find_traffic(connection, place.id, month)
            return now, find_months(connection, place.id, month, 12)

    def _page(
        self,
        read: Callable[[Connection], Page[T]],
        registry: str | None,
        repository: str | None = None,
    ) -> Page[T]:
        """Empty only if what it is asked for is known."""
        with self._database.read() as connection:
            page = read(connection)
            if not page.items:
                sight = self.sight(connection)
                check_names(connection, registry, repository, sight=sight)
        return page

    def violations_of(
        self, report: RepositoryReport, now: datetime
    ) -> Page[ViolationReport]:
        """What one repository exceeds now, newest first."""
        query = ViolationQuery(registry=report.registry, repository=report.repository)
        return self.violations(query, now)

    def seen(self, connection: Connection, known: Iterable[R]) -> list[R]:
        """The registries that have a repository which the principal sees, as fresh as
        what they see of each."""
        sight = self.sight(connection)
        if sight is None:
            return list(known)
        last = last_crawls(connection, sight)
        return [
            replace_fields(each, last_success_at=last.get(each.name))
            for each in known
            if each.name in sight.registries
        ]

    def named(self, connection: Connection, ref: str) -> RepositoryReport:
        """The repository of `ref`, if the principal sees it."""
        return named_repository(connection, ref, self.sight(connection))

    def repository(self, ref: str) -> RepositoryReport:
        """The repository of `ref`; a tag or digest in it does not matter."""
        with self._database.read() as connection:
            return self.named(connection, ref)

    def tags(
        self, ref: str, limit: int, cursor: str | None
    ) -> tuple[RepositoryReport, Page[TagReport]]:
        """The repository of `ref` with one page of its tags."""
        with self._database.read() as connection:
            report = self.named(connection, ref)
            page = tag_page(
                connection,
                report.registry,
                report.repository,
                limit=limit,
                cursor=cursor,
                platforms=self.platforms,
            )
        return report, page

    def history(
        self,
        ref: str,
        platform: str | None,
        since: datetime | None,
        limit: int,
        cursor: str | None,
        now: datetime,
    ) -> HistoryReport:
        """One page of what a tag led to, or, where `ref` has none, of what the newest
        image of its repository was."""
        wanted = parse_platform(platform) if platform is not None else None
        with self._database.read() as connection:
            report, reference = reading_of(connection, ref, self.sight(connection))
            if reference.digest is not None:
                raise UsageError("a digest never moves", code="no_digest")
            tag = written_tag(ref)
            query = HistoryQuery(
                report.registry,
                report.repository,
                tag,
                wanted,
                since,
                limit,
                cursor,
                leaves_tags_out=report.registry in self.reclaim.in_part,
            )
            found = history_page(connection, query, now, self.platforms)
            if found is None:
                raise no_tag(connection, report, [tag or ""])
        return found

    def tag_groups(
        self,
        ref: str,
        limit: int,
        cursor: str | None,
        now: datetime,
        fitting: str | None = None,
    ) -> tuple[RepositoryReport, TagGroups, ReclaimReport]:
        """The repository of `ref` with one page of its tags by what they name, those of
        which one fits, and what deleting those frees that the rules do not keep."""
        with self._database.read() as connection:
            report = self.named(connection, ref)
            groups = group_page(
                connection,
                report,
                now,
                limit=limit,
                cursor=cursor,
                platforms=self.platforms,
                leaves_tags_out=report.registry in self.reclaim.in_part,
                fitting=fitting,
            )
            reclaimable = reclaim_by_rules(
                connection,
                report,
                self.reclaim.rules,
                now,
                leaves_tags_out=report.registry in self.reclaim.in_part,
                most_tags=RULES_TAGS,
            )
        return report, groups, reclaimable

    def newest_over_time(
        self, report: RepositoryReport, limit: int, now: datetime
    ) -> HistoryReport | None:
        """The latest steps of one repository."""
        query = HistoryQuery(
            report.registry,
            report.repository,
            limit=limit,
            leaves_tags_out=report.registry in self.reclaim.in_part,
        )
        with self._database.read() as connection:
            return history_page(connection, query, now, self.platforms)

    def image(self, ref: str, platform: str | None, now: datetime) -> FoundImage:
        """The image of `ref`, its headline platform unless another is asked for."""
        wanted = parse_platform(platform) if platform is not None else None
        with self._database.read() as connection:
            report, reference = reading_of(connection, ref, self.sight(connection))
            weighing = find_weighing(
                connection,
                report.registry,
                report.repository,
                tag=None if reference.digest else reference.tag,
                digest=reference.digest,
                platform=wanted,
                platforms=self.platforms,
                now=now,
            )
            if weighing is None:
                raise no_image(connection, report, reference)
            if wanted is not None and not weighing.images:
                raise no_platform(weighing, wanted)
            names = aliases(
                connection, report.registry, report.repository, weighing.digest
            )
            in_part = self.reclaim.in_part
            lighter = find_lighter(connection, weighing, now, in_part=in_part)
            sight = self.sight(connection)
            places = find_whereabouts(connection, weighing, sight)
        if sight is not None:
            lighter = [of_this_image_alone(each) for each in lighter]
        return FoundImage(weighing, names, report, lighter, places)

    def comparison(
        self, a: str, b: str, platform: str | None, now: datetime, c: str | None = None
    ) -> Comparison:
        """Two images, of each platform that both have, or of the one that is asked
        for; and a third one beside them."""
        wanted = parse_platform(platform) if platform is not None else None
        with self._database.read() as connection:
            before, after, *third = (
                self._weighed(connection, ref, wanted, now)
                for ref in (a, b, *filter(None, (c,)))
            )
        found = compare_weighings(before, after, self.platforms, wanted)
        return replace(found, third=third[0]) if third else found

    def before(self, ref: str, now: datetime) -> str:
        """A reference to the image before that of `ref`: what its tag led to before,
        else what was the newest image of its repository before it."""
        with self._database.read() as connection:
            report, reference = reading_of(connection, ref, self.sight(connection))
            registry, repository = report.registry, report.repository
            earlier = None
            if reference.tag is not None and reference.digest is None:
                earlier = target_before(connection, registry, repository, reference.tag)
            if earlier is None:
                digest = self._weighed(connection, ref, None, now).digest
                query = HistoryQuery(registry, repository, limit=BEFORE)
                earlier = _behind(
                    digest, history_page(connection, query, now, self.platforms)
                )
        if earlier is None:
            message = f"no image is known that was before {ref}"
            raise Refusal(404, message, code="image_not_found")
        return f"{registry}/{repository}@{earlier}"

    def _weighed(
        self, connection: Connection, ref: str, wanted: Platform | None, now: datetime
    ) -> Weighing:
        """All images of a reference, of which there is one."""
        report, reference = reading_of(connection, ref, self.sight(connection))
        weighing = find_weighing(
            connection,
            report.registry,
            report.repository,
            tag=None if reference.digest else reference.tag,
            digest=reference.digest,
            platform=wanted,
            all_platforms=True,
            platforms=self.platforms,
            now=now,
        )
        if weighing is None:
            raise no_image(connection, report, reference)
        if not weighing.images:
            raise no_platform(weighing, wanted)
        return weighing


class Handlers:
    """What answers over the database, one method a route, has these."""

    def __init__(
        self,
        database: Database,
        finder: Finder,
        clock: Callable[[], datetime],
        policies: Callable[[], PolicySet],
        threads: Threads,
    ) -> None:
        self._database = database
        self._finder = finder
        self._clock = clock
        self._policies = policies
        self._threads = threads

    def finder(self, request: Request) -> Finder:
        """Finds what whoever sent this request may see."""
        return self._finder.seeing(principal_of(request))


def _behind(digest: Digest, history: HistoryReport | None) -> Digest | None:
    """What came before it in a history."""
    steps = () if history is None else history.items
    digests = list(dict.fromkeys(step.digest for step in steps))
    place = digests.index(digest) + 1 if digest in digests else len(digests)
    return digests[place] if place < len(digests) else None
