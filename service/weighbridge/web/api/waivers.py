"""Waivers over HTTP: what is accepted for a while, and by whom."""

from collections.abc import Set
from datetime import datetime
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from weighbridge.domain.policy.waiver import (
    NewWaiver,
    Waiver,
    checked_limit,
    checked_reason,
    checked_target,
    parse_moment,
)
from weighbridge.errors import UsageError
from weighbridge.presentation.rows.policy_rows import waiver_json
from weighbridge.presentation.rows.report_rows import page_of_rows
from weighbridge.store.reports.inventory import registry_names
from weighbridge.store.violations.waivers import put_waiver, revoke_waiver, waiver_page
from weighbridge.web.request.answers import Refusal, json_answer
from weighbridge.web.request.bodies import (
    Members,
    form_fields,
    json_object,
    read_body,
    text_of,
)
from weighbridge.web.request.finding import Handlers
from weighbridge.web.request.parameters import (
    DEFAULT_LIMIT,
    IsAll,
    Limit,
    WaiverCursor,
    WaiverId,
    numbered,
)
from weighbridge.web.request.principal import principal_of
from weighbridge.web.request.unknown_names import no_registry

_REQUIRED: Final[Set[str]] = {"registry", "repository", "reason", "expires_at"}
_OPTIONAL: Final[Set[str]] = {"tag", "limit_key"}


class Waivers(Handlers):
    """One method a route. What is written names the token that did it."""

    def waivers(
        self,
        request: Request,
        all_: IsAll = False,
        limit: Limit = DEFAULT_LIMIT,
        cursor: WaiverCursor = None,
    ) -> Response:
        """What is waived, newest first."""
        now = self._clock()
        with self._database.read() as connection:
            page = waiver_page(connection, now, is_all=all_, limit=limit, cursor=cursor)
        rows = page_of_rows(page, partial(waiver_json, now=now))
        return json_answer(request, rows)

    async def create_waiver(self, request: Request) -> Response:
        """Accept violations for a while; no two waivers exclude each other."""
        now = self._clock()
        members = json_object(await read_body(request), _REQUIRED, _OPTIONAL)
        new = _new_waiver(members, principal_of(request).name, now)
        waiver = await self._threads.run(partial(self._put, new, now))
        return JSONResponse(waiver_json(waiver, now), 201)

    async def waive_on_page(self, request: Request) -> Response:
        """The same by the form of the page of violations, which is shown again then."""
        now = self._clock()
        members = form_fields(await read_body(request), _REQUIRED, _OPTIONAL)
        new = _new_waiver(members, principal_of(request).name, now)
        await self._threads.run(partial(self._put, new, now))
        return RedirectResponse("/violations", 303)

    def revoke_waiver(self, request: Request, waiver_id: WaiverId) -> Response:
        """End a waiver. One that is over already stays as it is."""
        now = self._clock()
        number = numbered(waiver_id, "waiver")
        with self._database.write() as connection:
            found = revoke_waiver(connection, number, principal_of(request).name, now)
        if found is None:
            raise Refusal(404, f"there is no waiver {number}", code="waiver_not_found")
        return JSONResponse(waiver_json(found[0], now))

    def _put(self, new: NewWaiver, now: datetime) -> Waiver:
        with self._database.write() as connection:
            known = registry_names(connection)
            if "*" not in new.registry and new.registry not in known:
                raise no_registry()
            return put_waiver(connection, new, now)


def _new_waiver(members: Members, author: str, now: datetime) -> NewWaiver:
    """Raises Refusal(422)."""
    texts = {name: text_of(members, name) for name in _REQUIRED}
    tag = text_of(members, "tag", "*")
    limit = text_of(members, "limit_key")
    try:
        target = checked_target(texts["registry"], texts["repository"], tag)
        return NewWaiver(
            target.registry,
            target.repository,
            target.tag,
            checked_limit(limit) if "limit_key" in members else None,
            checked_reason(texts["reason"]),
            author,
            parse_moment(texts["expires_at"], now),
        )
    except UsageError as exc:
        raise Refusal(
            422, exc.message, code=exc.code, detail={"hint": exc.hint}
        ) from exc
