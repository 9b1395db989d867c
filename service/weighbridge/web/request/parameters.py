"""Query parameters, read strictly: what is not understood is refused, not ignored.

A handler's signature says which it takes: each is of one of the types below, which
say how it is read and how the API's description shows it.
"""

import inspect
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Struct
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from starlette.requests import Request

from weighbridge.domain.policy.policy import Severity
from weighbridge.store.reports import (
    SORTS,
    RepositoryQuery,
    StateFilter,
    ViolationQuery,
)
from weighbridge.web.request.errors import Refusal

Schema: TypeAlias = dict[str, object]

LIMIT_MAX: Final = 1000
DEFAULT_LIMIT: Final = 100
_VALUE_CHARACTERS: Final = 2048


class Group(Struct, frozen=True):
    """Parameters that a handler takes as one value.

    make: makes it; its signature says of what
    """

    make: Callable[..., object]


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
    Field(ge=1, le=LIMIT_MAX, description="Items on one page, at most"),
    BeforeValidator(_ascii_digits),
]
Ref: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        description="registry/repository[:tag|@digest], such as hub/library/python:3.7",
    ),
]
RegistryName: TypeAlias = Annotated[
    str | None, Field(description="Only of the registry with this name")
]
RepositoryName: TypeAlias = Annotated[
    str | None, Field(description="Only of the repository with this whole name")
]
PlatformName: TypeAlias = Annotated[
    str | None,
    Field(
        description="os/architecture[/variant], such as linux/arm64; without it the "
        "first of the registry's platforms that there is an image for"
    ),
]
PartOfName: TypeAlias = Annotated[
    str | None, Field(description="Only those whose name holds this text")
]
SearchText: TypeAlias = Annotated[
    str, Field(min_length=1, description="A part of a repository's or a tag's name")
]
MaxCompressed: TypeAlias = Annotated[
    str, Field(min_length=1, description="A limit to be tried, such as 400MB")
]
LimitInput: TypeAlias = Annotated[
    str | None,
    Field(description="A limit to be tried, such as 400MB"),
]
CrawlId: TypeAlias = Annotated[
    str,
    Field(
        description="The number of the crawl",
        json_schema_extra={"pattern": "^[0-9]{1,18}$"},
    ),
]
WaiverId: TypeAlias = Annotated[
    str,
    Field(
        description="The number of the waiver",
        json_schema_extra={"pattern": "^[0-9]{1,18}$"},
    ),
]
RequestId: TypeAlias = Annotated[
    str,
    Field(
        description="The number of the request",
        json_schema_extra={"pattern": "^[0-9]{1,18}$"},
    ),
]
IsAll: TypeAlias = Annotated[
    bool,
    Field(description="Also those that have ended"),
    BeforeValidator(_true_or_false),
]
Cursor: TypeAlias = Annotated[
    str | None,
    Field(description="`next_cursor` of the page before; only with its order"),
]
Sort: TypeAlias = Annotated[
    str,
    Field(json_schema_extra={"enum": sorted(SORTS)}, description="Column to sort by"),
]
Order: TypeAlias = Annotated[
    Literal["asc", "desc"],
    Field(description="Rows without a value come last in either order"),
]


Team: TypeAlias = Annotated[
    str | None, Field(description="Only of this team; empty: of no team")
]
PolicyName: TypeAlias = Annotated[
    str | None, Field(description="Only of the policy with this name")
]
SeverityName: TypeAlias = Annotated[
    Severity | None, Field(description="Only those that are so severe")
]
State: TypeAlias = Annotated[
    StateFilter,
    Field(description="Those that are open (waived ones are), those that are not"),
]
IsViolating: TypeAlias = Annotated[
    bool | None,
    Field(description="Only those that exceed a limit; with false only the others"),
    BeforeValidator(_true_or_false),
]


AllTags: TypeAlias = Annotated[
    bool,
    Field(description="Also tags over their limit that newer ones came after"),
    BeforeValidator(_true_or_false),
]


def violation_query(
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


Violations: TypeAlias = Annotated[ViolationQuery, Group(violation_query)]


def repository_query(
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


Repositories: TypeAlias = Annotated[RepositoryQuery, Group(repository_query)]


def numbered(text: str, what: str) -> int:
    """The number in a path. Raises Refusal(404) for what can be none.

    18 digits are below 2^63, the largest id that a database can hold.
    """
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    code = f"{what}_not_found"
    raise Refusal(404, f"a {what} is named by its number", code=code)


class Parameter(Struct, frozen=True):
    """One parameter.

    key:     its name in the handler; `all_` is sent as `all`, which Python has taken
    reads:   a sent text into a value
    default: where nothing is sent; `Parameter.empty` of `inspect`: it has to be
    """

    key: str
    reads: TypeAdapter[object]
    default: object

    @property
    def name(self) -> str:
        return self.key.removesuffix("_")

    @property
    def is_required(self) -> bool:
        return self.default is inspect.Parameter.empty

    def schema(self) -> Schema:
        """What may be sent. Without null: what is not wanted is left out."""
        schema: Schema = self.reads.json_schema()
        choices = schema.pop("anyOf", None)
        if isinstance(choices, list):
            schema = {**choices[0], **schema}
        if not self.is_required and self.default is not None:
            schema["default"] = self.default
        return schema


class Parameters:
    """All that a handler takes."""

    def __init__(self, handler: Callable[..., object]) -> None:
        self._groups: dict[str, tuple[Group, Parameters]] = {}
        self._single: list[Parameter] = []
        for key, taken in inspect.signature(handler).parameters.items():
            # Neither the handler's object nor the request is of such a type.
            for said in getattr(taken.annotation, "__metadata__", ()):
                if isinstance(said, Group):
                    self._groups[key] = said, Parameters(said.make)
                if isinstance(said, FieldInfo):
                    reads: TypeAdapter[object] = TypeAdapter(taken.annotation)
                    self._single.append(Parameter(key, reads, taken.default))

    def __iter__(self) -> Iterator[Parameter]:
        """Each, also those of its groups."""
        for _, of_group in self._groups.values():
            yield from of_group
        yield from self._single

    def read(self, request: Request) -> dict[str, object]:
        """The handler's arguments. Raises Refusal(400): for parameters that it does
        not have, too, since a misspelt filter would otherwise show everything and look
        right."""
        _check_names(request, {each.name for each in self} - request.path_params.keys())
        sent = {**request.query_params, **request.path_params}
        faults: dict[str, str] = {}
        arguments = self._arguments(sent, faults)
        if faults:
            raise Refusal(
                400,
                f"wrong or missing: {', '.join(sorted(faults))}",
                code="invalid_parameter",
                detail=faults,
            )
        return arguments

    def _arguments(
        self, sent: Mapping[str, object], faults: dict[str, str]
    ) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, (group, of_group) in self._groups.items():
            arguments = of_group._arguments(sent, faults)
            if not faults:
                found[key] = group.make(**arguments)
        for each in self._single:
            if each.name in sent:
                try:
                    found[each.key] = each.reads.validate_python(sent[each.name])
                except ValidationError as exc:
                    fault = exc.errors()[-1]["msg"]
                    faults[each.name] = fault.removeprefix("Value error, ")
            elif each.is_required:
                faults[each.name] = "Field required"
            else:
                found[each.key] = each.default
        return found


@cache
def parameters_of(handler: Callable[..., object]) -> Parameters:
    """What a function takes, read once of its signature."""
    return Parameters(handler)


def _check_names(request: Request, known: set[str]) -> None:
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
