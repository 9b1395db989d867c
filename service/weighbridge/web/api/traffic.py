"""What was pulled in a month, and what storing and pulling cost, as JSON."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.policy.policy import PolicySet
from weighbridge.domain.report.inventory import Page
from weighbridge.domain.traffic.months import month_name, month_of, parse_month
from weighbridge.presentation.rows.report_rows import page_of_rows
from weighbridge.presentation.rows.traffic_rows import (
    costs_beside,
    costs_page,
    traffic_json,
)
from weighbridge.store.paging import read_cursor, write_cursor
from weighbridge.store.reports.traffic import COST_CURSOR, TrafficQuery
from weighbridge.store.session import Database
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.finding import Finder, Handlers
from weighbridge.web.request.kept_costs import KeptCosts
from weighbridge.web.request.parameters import (
    DEFAULT_LIMIT,
    CostCursor,
    Limit,
    MonthName,
    RegistryName,
    RepositoryName,
    Team,
    TrafficCursor,
    Whose,
)
from weighbridge.web.request.threads import Threads


class TrafficRoutes(Handlers):
    """One method a route."""

    def __init__(
        self,
        database: Database,
        finder: Finder,
        clock: Callable[[], datetime],
        policies: Callable[[], PolicySet],
        threads: Threads,
    ) -> None:
        super().__init__(database, finder, clock, policies, threads)
        self._costs = KeptCosts(database, finder.prices)

    def traffic(
        self,
        request: Request,
        month: MonthName = None,
        registry: RegistryName = None,
        repository: RepositoryName = None,
        team: Team = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: TrafficCursor = None,
    ) -> Response:
        """What was pulled of repositories in a month, where their registries count
        pulls: those first of which the most bytes may have been moved."""
        query = TrafficQuery(
            self._month(month), registry, repository, team, limit=limit, cursor=cursor
        )
        page = self.finder(request).traffic(query)
        row = partial(traffic_json, prices=self._finder.prices)
        return json_answer(request, page_of_rows(page, row))

    def costs(
        self,
        request: Request,
        per: Whose = "team",
        month: MonthName = None,
        registry: RegistryName = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: CostCursor = None,
    ) -> Response:
        """What each team, project, registry or repository stored and pulled in a month,
        and what that costs by the configured prices. All of it is an estimate."""
        number, first = self._month(month), 0
        if cursor is not None:
            _, *place = read_cursor(cursor, COST_CURSOR)
            number, first = (int(n or 0) for n in place)
            first = max(0, first)
        found = self._costs.find(number, registry, per, self._policies(), self._clock())
        end = first + limit
        following = (
            write_cursor("costs", month_name(number), end)
            if end < len(found.rows)
            else None
        )
        page = Page(found.rows[first:end], following)
        beside = costs_beside(found, per, number, self._finder.prices)
        return json_answer(request, costs_page(page, beside))

    def _month(self, text: str | None) -> int:
        return month_of(self._clock()) if text is None else parse_month(text)
