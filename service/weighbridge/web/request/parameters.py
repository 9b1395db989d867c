"""Query parameters, read strictly: what is not understood is refused, not ignored."""

import unicodedata
from collections import Counter
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import Depends, Path, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BeforeValidator

from weighbridge.domain.policy.policy import Severity
from weighbridge.store.reports import (
    SORTS,
    RepositoryQuery,
    StateFilter,
    ViolationQuery,
)
from weighbridge.web.request.errors import Refusal

LIMIT_MAX: Final = 1000
DEFAULT_LIMIT: Final = 100
_VALUE_CHARACTERS: Final = 2048


def _ascii_digits(value: object) -> object:
    """`int` also reads full-width digits, signs, underscores and blanks."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError(f"a number from 1 to {LIMIT_MAX} in plain digits")
    return value


def _true_or_false(value: object) -> object:
    """`bool` also reads `1`, `on` and `yes`."""
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("true or false")
    return value


Limit: TypeAlias = Annotated[
    int,
    Query(ge=1, le=LIMIT_MAX, description="Items on one page, at most"),
    BeforeValidator(_ascii_digits),
]
Ref: TypeAlias = Annotated[
    str,
    Query(
        min_length=1,
        description="registry/repository[:tag|@digest], such as hub/library/python:3.7",
    ),
]
RegistryName: TypeAlias = Annotated[
    str | None, Query(description="Only of the registry with this name")
]
RepositoryName: TypeAlias = Annotated[
    str | None, Query(description="Only of the repository with this whole name")
]
PlatformName: TypeAlias = Annotated[
    str | None,
    Query(
        description="os/architecture[/variant], such as linux/arm64; without it the "
        "first of the registry's platforms that there is an image for"
    ),
]
PartOfName: TypeAlias = Annotated[
    str | None, Query(description="Only those whose name holds this text")
]
SearchText: TypeAlias = Annotated[
    str, Query(min_length=1, description="A part of a repository's or a tag's name")
]
MaxCompressed: TypeAlias = Annotated[
    str, Query(min_length=1, description="A limit to be tried, such as 400MB")
]
LimitInput: TypeAlias = Annotated[
    str | None,
    Query(alias="max_compressed", description="A limit to be tried, such as 400MB"),
]
CrawlId: TypeAlias = Annotated[
    str,
    Path(
        description="The number of the crawl",
        json_schema_extra={"pattern": "^[0-9]{1,18}$"},
    ),
]
WaiverId: TypeAlias = Annotated[
    str,
    Path(
        description="The number of the waiver",
        json_schema_extra={"pattern": "^[0-9]{1,18}$"},
    ),
]
RequestId: TypeAlias = Annotated[
    str,
    Path(
        description="The number of the request",
        json_schema_extra={"pattern": "^[0-9]{1,18}$"},
    ),
]
IsAll: TypeAlias = Annotated[
    bool,
    Query(alias="all", description="Also those that have ended"),
    BeforeValidator(_true_or_false),
]
Cursor: TypeAlias = Annotated[
    str | None,
    Query(description="`next_cursor` of the page before; only with its order"),
]
Sort: TypeAlias = Annotated[
    str,
    Query(json_schema_extra={"enum": sorted(SORTS)}, description="Column to sort by"),
]
Order: TypeAlias = Annotated[
    Literal["asc", "desc"],
    Query(description="Rows without a value come last in either order"),
]


Team: TypeAlias = Annotated[
    str | None, Query(description="Only of this team; empty: of no team")
]
PolicyName: TypeAlias = Annotated[
    str | None, Query(description="Only of the policy with this name")
]
SeverityName: TypeAlias = Annotated[
    Severity | None, Query(description="Only those that are so severe")
]
State: TypeAlias = Annotated[
    StateFilter,
    Query(description="Those that are open (waived ones are), those that are not"),
]
IsViolating: TypeAlias = Annotated[
    bool | None,
    Query(description="Only those that exceed a limit; with false only the others"),
    BeforeValidator(_true_or_false),
]


AllTags: TypeAlias = Annotated[
    bool,
    Query(description="Also tags over their limit that newer ones came after"),
    BeforeValidator(_true_or_false),
]


async def violation_query(
    registry: RegistryName = None,
    repository: RepositoryName = None,
    team: Team = None,
    severity: SeverityName = None,
    policy: PolicyName = None,
    state: State = "open",
    all_tags: AllTags = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> ViolationQuery:
    """The parameters that every list of violations takes."""
    return ViolationQuery(
        registry=registry,
        repository=repository,
        team=team,
        severity=severity,
        policy=policy,
        state=state,
        all_tags=all_tags,
        limit=limit,
        cursor=cursor,
    )


Violations: TypeAlias = Annotated[ViolationQuery, Depends(violation_query)]


# All of these are `async` though nothing is awaited: what is not runs in a thread,
# and a thread has to be waited for.
async def repository_query(
    registry: RegistryName = None,
    q: PartOfName = None,
    sort: Sort = "compressed",
    order: Order = "desc",
    violating: IsViolating = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> RepositoryQuery:
    """The parameters that every list of repositories takes."""
    return RepositoryQuery(
        registry=registry,
        q=q,
        sort=sort,
        order=order,
        violating=violating,
        limit=limit,
        cursor=cursor,
    )


Repositories: TypeAlias = Annotated[RepositoryQuery, Depends(repository_query)]


def numbered(text: str, what: str) -> int:
    """The number in a path. Raises Refusal(404) for what can be none.

    18 digits are below 2^63, the largest id that a database can hold.
    """
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    code = f"{what}_not_found"
    raise Refusal(404, f"a {what} is named by its number", code=code)


async def only_known_parameters(request: Request) -> None:
    """Raises Refusal(400) for parameters that the route does not have.

    A misspelt filter would otherwise show everything and look right.
    """
    route = request.scope.get("route")
    known = _names(route.dependant) if isinstance(route, APIRoute) else set()
    sent = Counter(name for name, _ in request.query_params.multi_items())
    unknown = sorted(sent.keys() - known)
    if unknown:
        raise Refusal(
            400,
            f"unknown parameters: {', '.join(map(_shown, unknown))}",
            code="unknown_parameter",
            detail={"unknown": unknown, "known": sorted(known)},
        )
    _check_values(request, [name for name, times in sent.items() if times > 1])


def _names(dependant: Dependant) -> set[str]:
    """Also those that a part of the route takes."""
    names = {field.alias for field in dependant.query_params}
    return names.union(*map(_names, dependant.dependencies))


def _check_values(request: Request, repeated: list[str]) -> None:
    if repeated:
        raise Refusal(
            400, f"said twice: {', '.join(repeated)}", code="repeated_parameter"
        )
    for name, value in request.query_params.items():
        if len(value) > _VALUE_CHARACTERS or any(map(_is_control, value)):
            raise Refusal(
                400,
                f"{name} is longer than {_VALUE_CHARACTERS} characters or holds "
                "control characters",
                code="invalid_parameter",
            )


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def _shown(name: str) -> str:
    return repr(name[:40])
