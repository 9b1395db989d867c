"""Query parameters, read strictly (what is not understood is refused, not ignored), and
the route that hands them to a handler.

A handler's signature says which it takes: each is of one of the types below, which say
how it is read and how the API's description shows it.
"""

import inspect
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Struct, field
from pydantic import BeforeValidator, Field, JsonValue, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weighbridge.domain.image.reference import REFERENCE_PATTERN, TAG_PATTERN
from weighbridge.domain.policy.policy import Severity
from weighbridge.domain.text.units import LIMIT_PATTERN
from weighbridge.domain.traffic.costs import Per
from weighbridge.domain.traffic.months import MONTH_PATTERN
from weighbridge.store.paging import CursorForm, cursor_pattern
from weighbridge.store.reports.crawls import CRAWL_CURSOR, CrawlQuery
from weighbridge.store.reports.disputes import DISPUTE_CURSOR, DisputeQuery
from weighbridge.store.reports.history import HISTORY_CURSOR
from weighbridge.store.reports.repositories import (
    REPOSITORY_CURSORS,
    SORTS,
    RepositoryQuery,
)
from weighbridge.store.reports.tag_groups import GROUP_CURSOR
from weighbridge.store.reports.tags import TAG_CURSOR
from weighbridge.store.reports.traffic import COST_CURSOR, TRAFFIC_CURSOR
from weighbridge.store.reports.violations import (
    VIOLATION_CURSORS,
    StateFilter,
    ViolationQuery,
)
from weighbridge.store.violations.waivers import WAIVER_CURSOR
from weighbridge.web.options import Role
from weighbridge.web.request.answers import Refusal
from weighbridge.web.request.threads import Threads

Method: TypeAlias = Callable[..., object]
"""Of a class whose objects answer; which object does, each app knows."""


class RouteRow(Struct, frozen=True):
    """What is answered at one address to one method.

    role:      who may ask
    answer:    the schema of what went well; "": the API's description leaves it out
    not_found: the codes of its 404
    method:    GET also is HEAD
    body:      the schema of what is sent, "" for nothing
    status:    of what went well
    again:     what a 200 says beside that status; "": there is none
    any_host:  whether it is reached from other machines by whatever name
    for_teams: whether it shows a team its own repositories alone; others refuse teams
    """

    path: str
    handler: Method
    role: Role
    answer: str = ""
    not_found: tuple[str, ...] = ()
    method: str = "GET"
    body: str = ""
    status: int = 200
    again: str = ""
    any_host: bool = False
    for_teams: bool = False

    def route(
        self, bound: Mapping[Method, Callable[..., object]], threads: Threads
    ) -> Route:
        """bound: by method of a class, the same of the object that answers here

        An object that is called itself is an ASGI app, and gets nothing read for it.
        """
        handler = bound[self.handler]
        if not inspect.ismethod(handler):
            return Route(self.path, handler, methods=[self.method])
        parameters = parameters_of(self.handler)
        answering = threads.answering(handler)

        async def answered(request: Request) -> Response:
            return await answering(request, **parameters.read(request))

        return Route(self.path, answered, methods=[self.method])


def bound_methods(parts: Iterable[object]) -> dict[Method, Callable[..., object]]:
    """The methods of these objects by those of their classes; of one that is called
    itself, the object."""
    found: dict[Method, Callable[..., object]] = {}
    for part in parts:
        for name, method in vars(type(part)).items():
            if inspect.isfunction(method):
                found[method] = getattr(part, name)
        if callable(part):
            found[type(part).__call__] = part
    return found


Schema: TypeAlias = dict[str, object]
LIMIT_MAX: Final = 1000
DEFAULT_LIMIT: Final = 100
_VALUE_CHARACTERS: Final = 2048


def _ascii_digits(value: object) -> object:
    """`int` also reads full-width digits, signs, underscores and blanks."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError(f"a number from 1 to {LIMIT_MAX} in plain digits")
    return value


def true_or_false(value: object) -> object:
    """`bool` also reads `1`, `on` and `yes`."""
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("true or false")
    return value


def text(about: str, pattern: str = "", *, is_needed: bool = False) -> FieldInfo:
    """A text, and what it may be; whoever reads it says so again to who errs.

    pattern:   as ECMA 262 knows them, for the description; else any printable text
    is_needed: an empty one is not taken
    """
    described: dict[str, JsonValue] = {"pattern": pattern or _PRINTABLE}
    if not pattern:
        described["maxLength"] = _VALUE_CHARACTERS
    field: FieldInfo = Field(
        min_length=1 if is_needed else None,
        description=about,
        json_schema_extra=described,
    )
    return field


_CONTROL: Final = r"\x00-\x1f\x7f-\x9f"
_PRINTABLE: Final = f"^[^{_CONTROL}]*$"
_PLATFORM: Final = (
    rf"^[^/:{_CONTROL}]+(?:/[^/:{_CONTROL}]+){{1,2}}(?::[^{_CONTROL}]*)?$"
)
_NUMBER: Final = "^[0-9]{1,18}$"

Limit: TypeAlias = Annotated[
    int,
    Field(ge=1, le=LIMIT_MAX, description="Items on one page, at most"),
    BeforeValidator(_ascii_digits),
]
Ref: TypeAlias = Annotated[
    str,
    text(
        "registry/repository[:tag|@digest], such as hub/library/python:3.7",
        REFERENCE_PATTERN,
        is_needed=True,
    ),
]
RefInput: TypeAlias = Annotated[str, text("The same as it was typed; empty: none yet")]
LineView: TypeAlias = Annotated[
    Literal["all", "changed"], Field(description="Which lines are shown")
]
RegistryName: TypeAlias = Annotated[
    str | None, text("Only of the registry with this name")
]
RepositoryName: TypeAlias = Annotated[
    str | None, text("Only of the repository with this whole name")
]
PlatformName: TypeAlias = Annotated[
    str | None,
    text(
        "os/architecture[/variant], such as linux/arm64; without it the first of the "
        "registry's platforms that there is an image for",
        _PLATFORM,
    ),
]
OneRegistry: TypeAlias = Annotated[
    str, text("The name of a registry that was crawled", is_needed=True)
]
ProjectPath: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^(?:[a-z0-9._-]+(?:/[a-z0-9._-]+)*)?$",
        max_length=255,
        description="What names of repositories begin with, such as acme; empty: all",
    ),
]
StoredTagNames: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=f"^{TAG_PATTERN}$")], ...],
    Field(
        max_length=LIMIT_MAX,
        description="A tag that counts, said once for each; without it all of them",
    ),
]
TagNames: TypeAlias = Annotated[
    tuple[Annotated[str, Field(pattern=f"^{TAG_PATTERN}$")], ...],
    Field(
        max_length=LIMIT_MAX,
        description="A tag that would go, said once for each; without it those that the"
        " rules of `reclaim` do not keep",
    ),
]
Since: TypeAlias = Annotated[
    Annotated[str, Field(pattern="^[1-9][0-9]{0,2}[hdw]$")] | None,
    Field(description="Only what began within this time before now, such as 90d"),
]
MonthName: TypeAlias = Annotated[
    str | None, text("The month in UTC, such as 2026-11; else this one", MONTH_PATTERN)
]
Whose: TypeAlias = Annotated[Per, Field(description="Whose costs each row is")]
Period: TypeAlias = Annotated[
    Literal["30d", "90d", "52w"] | None,
    Field(description="How far back the chart of a page goes"),
]
PartOfName: TypeAlias = Annotated[
    str | None, text("Only those whose name holds this text")
]
SearchText: TypeAlias = Annotated[
    str, text("A part of a repository's or a tag's name", is_needed=True)
]
SearchInput: TypeAlias = Annotated[
    str, text("A part of a repository's or a tag's name; empty: nothing is searched")
]
MaxCompressed: TypeAlias = Annotated[
    str, text("A limit to be tried, such as 400MB", LIMIT_PATTERN, is_needed=True)
]
LimitInput: TypeAlias = Annotated[
    str | None, text("A limit to be tried, such as 400MB")
]
CrawlId: TypeAlias = Annotated[str, text("The number of the crawl", _NUMBER)]
WaiverId: TypeAlias = Annotated[str, text("The number of the waiver", _NUMBER)]
RequestId: TypeAlias = Annotated[str, text("The number of the request", _NUMBER)]
IsAll: TypeAlias = Annotated[
    bool,
    Field(description="Also those that have ended"),
    BeforeValidator(true_or_false),
]
IsViolating: TypeAlias = Annotated[
    bool | None,
    Field(description="Only those that exceed a limit; with false only the others"),
    BeforeValidator(true_or_false),
]
AllTags: TypeAlias = Annotated[
    bool,
    Field(description="Also tags over their limit that newer ones came after"),
    BeforeValidator(true_or_false),
]
Sort: TypeAlias = Annotated[
    str,
    Field(
        description="Column to sort by; a cursor goes on in its own order",
        json_schema_extra={"enum": sorted(SORTS)},
    ),
]
Order: TypeAlias = Annotated[
    Literal["asc", "desc"],
    Field(description="Rows without a value come last in either order"),
]
Team: TypeAlias = Annotated[str | None, text("Only of this team; empty: of no team")]
PolicyName: TypeAlias = Annotated[str | None, text("Only of the policy with this name")]
SeverityName: TypeAlias = Annotated[
    Severity | None, Field(description="Only those that are so severe")
]
State: TypeAlias = Annotated[
    StateFilter,
    Field(description="Those that are open (waived ones are), those that are not"),
]


def cursor_of(*forms: CursorForm) -> FieldInfo:
    return text("`next_cursor` of the page before", cursor_pattern(*forms))


TagCursor: TypeAlias = Annotated[str | None, cursor_of(TAG_CURSOR)]
HistoryCursor: TypeAlias = Annotated[str | None, cursor_of(HISTORY_CURSOR)]
CrawlCursor: TypeAlias = Annotated[str | None, cursor_of(CRAWL_CURSOR)]
WaiverCursor: TypeAlias = Annotated[str | None, cursor_of(WAIVER_CURSOR)]
CostCursor: TypeAlias = Annotated[str | None, cursor_of(COST_CURSOR)]
TrafficCursor: TypeAlias = Annotated[str | None, cursor_of(TRAFFIC_CURSOR)]
_DisputeCursor: TypeAlias = Annotated[str | None, cursor_of(DISPUTE_CURSOR)]
_ViolationCursor: TypeAlias = Annotated[str | None, cursor_of(*VIOLATION_CURSORS)]
_RepositoryCursor: TypeAlias = Annotated[str | None, cursor_of(*REPOSITORY_CURSORS)]
GroupCursor: TypeAlias = Annotated[str | None, cursor_of(GROUP_CURSOR)]
_FIELDS: Final[Mapping[str, object]] = {
    "registry": RegistryName,
    "repository": RepositoryName,
    "q": PartOfName,
    "sort": Sort,
    "order": Order,
    "violating": IsViolating,
    "team": Team,
    "severity": SeverityName,
    "policy": PolicyName,
    "state": State,
    "all_tags": AllTags,
    "limit": Limit,
}
"""What the fields of queries are as parameters."""


class Group(Struct, frozen=True):
    """Parameters that a handler takes as one value.

    make:   makes it of them; its own signature says which there are
    cursor: what its field of this name is
    fields: the same of other fields that no other group has, or has otherwise
    """

    make: Callable[..., object]
    cursor: object
    fields: Mapping[str, object] = field(default_factory=dict)


Repositories: TypeAlias = Annotated[
    RepositoryQuery, Group(RepositoryQuery, _RepositoryCursor)
]
Violations: TypeAlias = Annotated[
    ViolationQuery, Group(ViolationQuery, _ViolationCursor)
]
Disputes: TypeAlias = Annotated[DisputeQuery, Group(DisputeQuery, _DisputeCursor)]
Crawls: TypeAlias = Annotated[CrawlQuery, Group(CrawlQuery, CrawlCursor)]


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
    def is_list(self) -> bool:
        """Whether it may be sent several times."""
        return self.reads.json_schema().get("type") == "array"

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

    def __init__(
        self, handler: Callable[..., object], fields: Mapping[str, object]
    ) -> None:
        """fields: what is said of a parameter beside its own annotation

        Raises TypeError for a parameter of none of the types that are read: it would
        be refused as unknown, or never get a value.
        """
        self._groups: dict[str, tuple[Group, Parameters]] = {}
        self._single: list[Parameter] = []
        for key, taken in inspect.signature(handler).parameters.items():
            if key == "self" or taken.annotation is Request:
                continue
            kind = fields.get(key, taken.annotation)
            before = len(self._groups) + len(self._single)
            for said in getattr(kind, "__metadata__", ()):
                if isinstance(said, Group):
                    of_group = Parameters(
                        said.make, {**_FIELDS, **said.fields, "cursor": said.cursor}
                    )
                    self._groups[key] = said, of_group
                if isinstance(said, FieldInfo):
                    reads: TypeAdapter[object] = TypeAdapter(kind)  # type: ignore[arg-type]  # an Annotated alias
                    self._single.append(Parameter(key, reads, taken.default))
            if len(self._groups) + len(self._single) == before:
                raise TypeError(f"nothing says how {key} of {handler} is read")
        self._lists = {each.name for each in self._single if each.is_list}

    def __iter__(self) -> Iterator[Parameter]:
        """Each, also those of its groups."""
        for _, of_group in self._groups.values():
            yield from of_group
        yield from self._single

    def read(self, request: Request) -> dict[str, object]:
        """The handler's arguments. Raises Refusal(400): for parameters that it does
        not have, too, since a misspelt filter would otherwise show everything and look
        right."""
        known = {each.name for each in self} - request.path_params.keys()
        _check_names(request, known, self._lists)
        sent: dict[str, object] = {**request.query_params, **request.path_params}
        for name in self._lists & sent.keys():
            sent[name] = request.query_params.getlist(name)
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
    return Parameters(handler, {})


def _check_names(request: Request, known: set[str], lists: set[str]) -> None:
    sent = Counter(name for name, _ in request.query_params.multi_items())
    unknown = sorted(sent.keys() - known)
    if unknown:
        raise Refusal(
            400,
            f"unknown parameters: {', '.join(map(_shown, unknown))}",
            code="unknown_parameter",
            detail={"unknown": unknown, "known": sorted(known)},
        )
    repeated = [n for n, times in sent.items() if times > 1 and n not in lists]
    _check_values(request, repeated)


def _check_values(request: Request, repeated: list[str]) -> None:
    if repeated:
        raise Refusal(
            400, f"said twice: {', '.join(repeated)}", code="repeated_parameter"
        )
    for name, value in request.query_params.multi_items():
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
