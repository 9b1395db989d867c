"""The page of violations, and its table as CSV."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.domain.policy.policy import LIMIT_KEYS, PolicySet
from weighbridge.domain.text.units import parse_limit_bytes
from weighbridge.errors import UsageError
from weighbridge.presentation.rows.policy_rows import (
    VIOLATION_COLUMNS,
    violation_cells,
)
from weighbridge.store.reports.inventory import (
    counts_above,
    registry_freshness,
    was_crawled,
)
from weighbridge.store.reports.violations import (
    ViolationQuery,
    open_counts,
    violation_page,
)
from weighbridge.store.session import Connection
from weighbridge.store.violations.waivers import active_waivers
from weighbridge.web.api.limits import (
    LimitsInForce,
    lowest_limit,
    read_comparison,
    read_flagged,
    read_nearest,
    read_thresholds,
)
from weighbridge.web.pages.report_pages import Links, page_of, paging
from weighbridge.web.request.answers import csv_answer
from weighbridge.web.request.finding import Handlers
from weighbridge.web.request.parameters import (
    DEFAULT_LIMIT,
    LIMIT_MAX,
    LimitInput,
    Violations,
)
from weighbridge.web.request.principal import principal_of
from weighbridge.web.request.unknown_names import no_registry
from weighbridge.web.views.frame import frame
from weighbridge.web.views.violations import (
    SimulatedLimit,
    SimulationPanel,
    groups,
    headroom_items,
    simulation_panel,
)

WAIVERS: Final = 50
"""Of those in force, the ones that end first; the API lists all of them."""
NEAREST: Final = 8
LISTED: Final = 50
"""Repositories that a limit would flag; the command lists all."""
STATES: Final = (("open", "Open"), ("closed", "Closed"), ("all", "All"))


class SimulationRequest(Struct, frozen=True):
    """A limit that is to be tried on all repositories.

    text:        as it was typed, None where nothing was
    limit_bytes: what it means, None where it means nothing
    fault:       why it does not, or ""
    """

    text: str | None = None
    limit_bytes: int | None = None
    fault: str = ""


class ViolationPages(Handlers):
    """The page reads one state of the database; as JSON its table is the API's."""

    def violations_page(
        self, request: Request, query: Violations, max_compressed: LimitInput = None
    ) -> Response:
        """What exceeds its limit: by team, each with the line that did it."""
        now = self._clock()
        policies = self._policies()
        wanted = _wish(max_compressed)
        with self._database.read() as connection:
            registries = registry_freshness(connection)
            page = violation_page(connection, query, now)
            waivers = active_waivers(connection, now)
            counts, waived = open_counts(connection, waivers, now)
            limits = LimitsInForce(policies, waivers, now)
            near = read_nearest(connection, limits, query.registry, NEAREST)
            tried = _simulation_panel(connection, policies, query.registry, wanted)
            is_crawled = was_crawled(connection)
        names = [registry.name for registry in registries]
        if query.registry is not None and query.registry not in names:
            raise no_registry()
        links = _links(query, wanted)
        around = replace(
            frame("/violations", registries, now),
            twin="/violations",
            twin_query=links.query(limit=str(LIMIT_MAX), max_compressed=None),
        )
        who = principal_of(request)
        in_force = sorted(waivers.waivers, key=lambda waiver: waiver.expires_at)
        return page_of(
            request,
            "violations.html",
            around,
            fault=wanted.fault,
            headroom=headroom_items(near),
            simulation_panel=tried,
            groups=groups(page.items),
            counts=counts,
            waived=waived,
            was_crawled=is_crawled,
            query=query,
            links=links,
            states=STATES,
            registry_names=names,
            may_waive=who.is_admin or not who.is_known,
            limit_keys=LIMIT_KEYS,
            waivers=in_force[:WAIVERS],
            more_waivers=max(len(in_force) - WAIVERS, 0),
            **paging(links, page.next_cursor, query.cursor),
        )

    def violations_csv(self, request: Request, query: Violations) -> Response:
        """The table of the page."""
        now = self._clock()
        page = self.finder(request).violations(query, now)
        rows = (violation_cells(report, now) for report in page.items)
        return csv_answer(
            request, "violations", VIOLATION_COLUMNS, rows, page.next_cursor
        )


def _wish(text: str | None) -> SimulationRequest:
    """An empty field is no wanted."""
    if not text:
        return SimulationRequest()
    try:
        return SimulationRequest(text, parse_limit_bytes(text))
    except UsageError as exc:
        hint = f": {exc.hint}" if exc.hint else ""
        return SimulationRequest(text, fault=f"{exc.message}{hint}")


def _simulation_panel(
    connection: Connection,
    policies: PolicySet,
    registry: str | None,
    wanted: SimulationRequest,
) -> SimulationPanel:
    limits = read_thresholds(connection, policies, registry)
    asked = wanted.limit_bytes
    if asked is None:
        counts = counts_above(connection, limits, registry)
        return simulation_panel(
            limits, counts, policies, wanted.text, wanted.fault, None
        )
    # Whatever is counted is counted in one walk.
    counted = {*limits, asked, lowest_limit(policies, asked)}
    counts = counts_above(connection, counted, registry)
    flagged = read_flagged(connection, asked, registry, LISTED)
    compared = read_comparison(connection, asked, policies, counts, registry)
    found = SimulatedLimit(asked, flagged, compared)
    return simulation_panel(limits, counts, policies, wanted.text, wanted.fault, found)


def _links(query: ViolationQuery, wanted: SimulationRequest) -> Links:
    limit = None if query.limit == DEFAULT_LIMIT else str(query.limit)
    state = None if query.state == "open" else query.state
    return Links(
        "/violations",
        {
            "registry": query.registry,
            "repository": query.repository,
            "team": query.team,
            "severity": query.severity,
            "policy": query.policy,
            "state": state,
            "all_tags": "true" if query.all_tags else None,
            "limit": limit,
            "max_compressed": None if wanted.fault else wanted.text,
        },
    )
