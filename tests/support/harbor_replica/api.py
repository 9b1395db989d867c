"""What `/api/v2.0` of Harbor answers: swagger.yaml and src/server/v2.0/handler."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import parse_qs, unquote

from support.answer_shapes import Member, misfits, misfits_of_each
from support.harbor_replica.listings import (
    artifact_entry,
    project_entry,
    quota_entry,
    repository_entry,
)
from support.harbor_replica.schema import ARTIFACT, PROJECT, QUOTA, REPOSITORY
from support.harbor_replica.state import Harbor, basic
from support.vendor_hosts import Fields, Reply, Request, json_reply

ItemT = TypeVar("ItemT")
MOST: Final = 100
_ROOT: Final = "/api/v2.0"
_PATH: Final = re.compile(
    r"/projects/([a-z0-9._-]+)/repositories(?:/([^/]+)(/artifacts)?)?"
)
_PAGE_KEYS: Final = frozenset(("page", "page_size", "sort"))
_ARTIFACT_KEYS: Final = frozenset(("with_tag", "with_label", "with_scan_overview"))
_CODES: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    412: "PRECONDITION",
    429: "TOO_MANY_REQUEST",
}


def api(harbor: Harbor, asked: Request) -> Reply:
    """A password that it does not know is nobody's, and no error."""
    path, _, query = asked.target.removeprefix(_ROOT).partition("?")
    harbor.targets.append(asked.target)
    if asked.authorization not in ("", basic()):
        harbor.violations.append(f"another secret than the robot's at {asked.target}")
    if asked.method != "GET" or "cookie" in asked.headers:
        return _violation(harbor, asked)
    if harbor.refusals:
        harbor.refusals -= 1
        harbor.counts["api_429"] += 1
        return refusal(429, "too many requests", (("Retry-After", "1"),))
    is_robot = harbor.is_robot(asked.authorization)
    if path == "/systeminfo":
        # `GeneralInfo`, as far as anonymous users see it.
        about = {"auth_mode": "db_auth", "self_registration": False}
        return json_reply(200, about)
    if path == "/users/current":
        harbor.counts["who"] += 1
        return _who(harbor, is_robot=is_robot)
    if path == "/quotas":
        harbor.counts["quotas"] += 1
        return _quotas(harbor, asked, query, is_robot=is_robot)
    harbor.counts["api"] += 1
    reply = _listing(harbor, asked, path, query, is_robot=is_robot)
    if harbor.expire_after is not None and harbor.counts["api"] >= harbor.expire_after:
        harbor.is_expired, harbor.expire_after = True, None
    return reply


def refusal(status: int, message: str, more: Fields = ()) -> Reply:
    """`Errors` of swagger.yaml."""
    error = {"code": _CODES[status], "message": message}
    return json_reply(status, {"errors": [error]}, more)


def _who(harbor: Harbor, *, is_robot: bool) -> Reply:
    if not is_robot:
        return refusal(401, "unauthorized")
    if not harbor.is_user:
        return refusal(
            412, "get current user not available for security context: robot"
        )
    return json_reply(200, {"user_id": 3, "username": "weighbridge"})


def _quotas(harbor: Harbor, asked: Request, query: str, *, is_robot: bool) -> Reply:
    """`listQuotas` of src/server/v2.0/handler/quota.go: a right of the system's."""
    if not is_robot or harbor.quotas is None:
        return refusal(403, "forbidden") if is_robot else refusal(401, "unauthorized")
    said = {key: values[0] for key, values in parse_qs(query).items()}
    if said.get("reference") != "project":
        harbor.violations.append(f"quotas of what: {asked.target}")
    return _page(
        harbor,
        asked,
        said,
        list(harbor.quotas.items()),
        lambda one: quota_entry(*one),
        QUOTA,
        frozenset(("reference",)),
    )


def _listing(
    harbor: Harbor, asked: Request, path: str, query: str, *, is_robot: bool
) -> Reply:
    said = {key: values[0] for key, values in parse_qs(query).items()}
    if path == "/projects":
        return _projects(harbor, asked, said, is_robot=is_robot)
    found = _PATH.fullmatch(path)
    if found is None:
        return _violation(harbor, asked)
    project, encoded, is_of_artifacts = found.groups()
    if project not in harbor.projects() or not harbor.is_shown(
        project, to_robot=is_robot
    ):
        return refusal(403, "forbidden") if is_robot else refusal(401, "unauthorized")
    if encoded is None:
        names = _repositories(harbor, project)
        return _page(
            harbor,
            asked,
            said,
            names,
            lambda name: repository_entry(harbor, name),
            REPOSITORY,
        )
    # The router decodes once, `unescapePathParams` once more.
    name = f"{project}/{unquote(unquote(encoded))}"
    if "/" in unquote(encoded):
        return _violation(harbor, asked)
    is_there = name in _repositories(harbor, project)
    if is_of_artifacts is None:
        harbor.counts["repository"] += 1
        if not is_there:
            return refusal(404, f"repository {name} not found")
        entry = repository_entry(harbor, name)
        harbor.violations += misfits(entry, REPOSITORY)
        return json_reply(200, entry)
    if said.get("sort") != "id" or said.get("with_tag") != "true":
        harbor.violations.append(f"artifacts in no order: {asked.target}")
    artifacts = harbor.artifacts(name) if is_there else {}
    return _page(
        harbor,
        asked,
        said,
        list(artifacts.items()),
        lambda one: artifact_entry(harbor, name, *one),
        ARTIFACT,
        _ARTIFACT_KEYS,
    )


def _repositories(harbor: Harbor, project: str) -> list[str]:
    names = (name for name in harbor.content.repositories() if name not in harbor.lost)
    return [name for name in names if name.startswith(f"{project}/")]


def _projects(
    harbor: Harbor, asked: Request, said: dict[str, str], *, is_robot: bool
) -> Reply:
    names = [
        name
        for name in harbor.projects()
        if harbor.is_shown(name, to_robot=is_robot) and said.get("name", "") in name
    ]
    return _page(
        harbor,
        asked,
        said,
        names,
        lambda name: project_entry(harbor, name),
        PROJECT,
        frozenset(("with_detail", "name")),
    )


def _page(
    harbor: Harbor,
    asked: Request,
    said: dict[str, str],
    items: Sequence[ItemT],
    entry: Callable[[ItemT], object],
    schema: Mapping[str, Member],
    more: frozenset[str] = frozenset(),
) -> Reply:
    number, length = int(said.get("page", "1")), int(said.get("page_size", "10"))
    if not said.keys() <= _PAGE_KEYS | more or number < 1 or not 1 <= length <= MOST:
        harbor.violations.append(f"GET {asked.target}")
        return refusal(400, "page_size in query should be less than or equal to 100")
    start, total = (number - 1) * length, len(items)
    path = asked.target.partition("?")[0].removeprefix(_ROOT)
    fields: Fields = (("X-Total-Count", str(total)),)
    if (told := harbor.totals.get((path, number))) is not None:
        fields = (("X-Total-Count", told),) if told else ()
    if link := _link(harbor, asked, number, length, total):
        fields += (("Link", link),)
    shown = [entry(item) for item in items[start : start + length]]
    harbor.violations += misfits_of_each(shown, schema)
    body = harbor.bodies.get((path, number), shown)
    if harbor.after_page is not None:
        harbor.after_page(path, number)
    return json_reply(200, body, fields)


def _link(harbor: Harbor, asked: Request, number: int, length: int, total: int) -> str:
    """`Links` of src/server/v2.0/handler/base.go."""
    links = []
    for relation, other in (("prev", number - 1), ("next", number + 1)):
        if other >= 1 and (other - 1) * length < total:
            target = asked.target.replace(f"page={number}&", f"page={other}&")
            links.append(f'<{harbor.links_to}{target}>; rel="{relation}"')
    return " , ".join(links)


def _violation(harbor: Harbor, asked: Request) -> Reply:
    harbor.violations.append(f"{asked.method} {asked.target}")
    return refusal(404, "not here")
