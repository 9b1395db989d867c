"""The API: what the store knows, as JSON. Every route reads."""

from functools import partial
from typing import Annotated, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.image.reference import REFERENCE_PATTERN
from weighbridge.domain.report.inventory import ChannelReport, Page
from weighbridge.domain.report.lighter import weighing_json
from weighbridge.domain.text.units import parse_since
from weighbridge.presentation.rows.comparison_rows import comparison_json
from weighbridge.presentation.rows.history_rows import history_json, step_json
from weighbridge.presentation.rows.policy_rows import (
    policy_rows,
    violation_json,
    violation_page_json,
)
from weighbridge.presentation.rows.report_rows import (
    dispute_json,
    keys_of,
    list_json,
    page_json,
    page_of_rows,
    row_json,
    row_of,
)
from weighbridge.store.outbox.due_groups import channel_reports
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import Handlers
from weighbridge.web.request.parameters import (
    DEFAULT_LIMIT,
    CrawlId,
    Crawls,
    Disputes,
    HistoryCursor,
    Limit,
    PlatformName,
    Ref,
    Repositories,
    SearchText,
    Since,
    TagCursor,
    Team,
    Violations,
    numbered,
    text,
)

_STEPS: Final = 10
"""Of a repository's history, beside all else that is known of it."""


ThirdRef: TypeAlias = Annotated[
    str | None,
    text("A third image, whose layers stand beside those of both", REFERENCE_PATTERN),
]


class API(Handlers):
    """One method a route; each reads one state of the database."""

    def registries(self, request: Request, team: Team = None) -> Response:
        """Every registry with its state and totals. For who sees the
        repositories of teams alone, and with `team`, it is those that hold any of
        these, with the totals of these: what is stored there, requests and the rate
        limit are null then."""
        with self._database.read() as connection:
            found = self.finder(request).registries(connection, team)
        return json_answer(request, list_json(found, self._clock()))

    def repositories(self, request: Request, query: Repositories) -> Response:
        """Repositories, heaviest newest image first."""
        now = self._clock()
        page = self.finder(request).repositories(query, now)
        return json_answer(request, page_json(page, now))

    def repository(self, request: Request, ref: Ref) -> Response:
        """One repository, also a deleted one, with what policies say of it, and the
        latest steps of its newest image."""
        finder = self.finder(request)
        report = finder.repository(ref)
        decided = self._policies().explain(
            report.registry, report.repository, report.newest_tag or ""
        )
        now = self._clock()
        found = finder.violations_of(report, now).items
        history = finder.newest_over_time(report, _STEPS, now)
        row = row_json(report, now) | {
            "policies": policy_rows(decided),
            "violations": [violation_json(violation, now) for violation in found],
            "history": [step_json(step) for step in history.items] if history else [],
        }
        return json_answer(request, row)

    def violations(self, request: Request, query: Violations) -> Response:
        """What exceeds its limit, or did, newest first."""
        now = self._clock()
        page = self.finder(request).violations(query, now)
        return json_answer(request, violation_page_json(page, now))

    def disputes(self, request: Request, query: Disputes) -> Response:
        """Sizes that are claimed and that the registry contradicts, latest first."""
        page = self.finder(request).disputes(query)
        return json_answer(request, page_of_rows(page, dispute_json))

    def tags(
        self,
        request: Request,
        ref: Ref,
        limit: Limit = DEFAULT_LIMIT,
        cursor: TagCursor = None,
    ) -> Response:
        """The tags of one repository."""
        _, page = self.finder(request).tags(ref, limit, cursor)
        return json_answer(request, page_json(page, self._clock()))

    def history(
        self,
        request: Request,
        ref: Ref,
        platform: PlatformName = None,
        since: Since = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: HistoryCursor = None,
    ) -> Response:
        """The moves of a tag, or, where `ref` names no tag, what the newest image of a
        repository was; the latest first."""
        now = self._clock()
        begin = None if since is None else parse_since(since, now)
        found = self.finder(request).history(ref, platform, begin, limit, cursor, now)
        return json_answer(request, history_json(found))

    def image(
        self, request: Request, ref: Ref, platform: PlatformName = None
    ) -> Response:
        """One image with its layers and lines, as `inspect -o json` prints it, and
        what would make it lighter."""
        found = self.finder(request).image(ref, platform, self._clock())
        return json_answer(request, weighing_json(found.weighing, found.lighter))

    def compare(
        self,
        request: Request,
        a: Ref,
        b: Ref,
        c: ThirdRef = None,
        platform: PlatformName = None,
    ) -> Response:
        """Two images side by side, of each platform that both have: their layers, their
        lines, and what made the difference. As `compare -o json` prints it. With `c`
        also what a third image has in common with both."""
        found = self.finder(request).comparison(a, b, platform, self._clock(), c)
        return json_answer(request, comparison_json(found))

    def crawls(self, request: Request, query: Crawls) -> Response:
        """Crawls of repositories, newest first."""
        page = self.finder(request).crawls(query)
        return json_answer(request, page_json(page, self._clock()))

    def one_crawl(self, request: Request, crawl_id: CrawlId) -> Response:
        """One crawl of one repository."""
        report = self.finder(request).crawl(numbered(crawl_id, "crawl"))
        return json_answer(request, row_json(report, self._clock()))

    def notifications(self, request: Request) -> Response:
        """What waits for each channel, since when one fails, what was given up."""
        with self._database.read() as connection:
            found = channel_reports(connection)
        # There are never too many for one page.
        page = Page(tuple(found), None)
        row = partial(row_of, keys_of(ChannelReport))
        return json_answer(request, page_of_rows(page, row))

    def search(
        self,
        request: Request,
        q: SearchText,
        limit: Limit = DEFAULT_LIMIT,
        team: Team = None,
    ) -> Response:
        """Repositories and tags whose name holds the text. Where there are more names
        than one search looks through, the header `Weighbridge-Incomplete` says so."""
        found = self.finder(request).search(q, limit, team)
        answer = json_answer(request, list_json(found.hits, self._clock()))
        if found.is_part:
            answer.headers["weighbridge-incomplete"] = "true"
        return answer
