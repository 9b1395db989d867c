"""The API's own description, made of the table of routes, and the shapes of JSON
answers in it.

Rows are those of the read model under `rows.REASONS`; an image is what
`domain.size.weighing.as_json` writes. The tests hold real answers against them.
"""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, Literal, get_args

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from weighbridge import __version__
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import HistoryAlignment, Role
from weighbridge.domain.report.inventory import (
    ChannelReport,
    RegistryReport,
    RepositoryCrawlReport,
    RepositoryReport,
    RepositoryState,
    SearchHit,
    TagReport,
)
from weighbridge.domain.size.confidence import CompressedConfidence
from weighbridge.presentation.rows.base_rows import ImageBaseAnswer
from weighbridge.presentation.rows.comparison_shapes import (
    ComparisonAnswer,
    UncompressedSize,
)
from weighbridge.presentation.rows.history_rows import HistoryAnswer
from weighbridge.presentation.rows.lighter_rows import AdviceAnswer, SavingAnswer
from weighbridge.presentation.rows.policy_rows import (
    ImageLimits,
    OneLimitSimulation,
    PolicyDecision,
    ViolationRow,
    WaiverInput,
    WaiverRow,
)
from weighbridge.presentation.rows.reclaim_rows import ReclaimRow
from weighbridge.presentation.rows.report_rows import (
    AGED,
    AGES,
    REASONS,
    DisputeRow,
    Report,
)
from weighbridge.presentation.rows.storage_rows import StorageRow
from weighbridge.presentation.rows.traffic_rows import CostsAnswer, TrafficRow
from weighbridge.web.api.bases import BaseList, KnownBaseList, OneBase
from weighbridge.web.api.crawl_requests import (
    CrawlAsked,
    CrawlInput,
    CrawlRequestRow,
)
from weighbridge.web.api.limits import HeadroomRow
from weighbridge.web.options import WebOptions
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.parameters import (
    Parameter,
    RouteRow,
    Schema,
    parameters_of,
)

_ABOUT: Final = (
    "What Weighbridge knows of container images. Operations read, but for those of "
    "waivers and crawls that need the role admin; HEAD is answered wherever GET is. "
    "Bytes are integers, times RFC 3339 in UTC, and what is not known is null, never "
    "0. A sum that is larger than 2^63-1 is written as 2^63-1, and the key `saturated` "
    "beside it, which is absent otherwise, lists the keys of such numbers."
)


class Description:
    """The OpenAPI document of an app, written when it is first asked for."""

    def __init__(self, endpoints: Iterable[RouteRow], options: WebOptions) -> None:
        self._endpoints = [each for each in endpoints if each.answer]
        self._options = options
        self._document: Schema | None = None

    async def openapi(self, request: Request) -> Response:
        """This document."""
        if self._document is None:
            self._document = self._written()
        return json_answer(request, self._document)

    def _written(self) -> Schema:
        paths: dict[str, Schema] = {}
        for each in self._endpoints:
            operations = paths.setdefault(each.path, {})
            operations[each.method.lower()] = self._operation(each)
        document: Schema = {
            "openapi": "3.1.0",
            "info": {
                "title": "Weighbridge",
                "description": _ABOUT,
                "version": __version__,
            },
            "paths": paths,
            "components": {"schemas": schemas(), "securitySchemes": _SCHEMES},
        }
        if not self._options.is_open("read"):
            document["security"] = _SECURITY
        return document

    def _operation(self, endpoint: RouteRow) -> Schema:
        name = endpoint.handler.__name__
        operation: Schema = {
            "tags": ["api"],
            "summary": name.replace("_", " ").title(),
            "description": inspect.getdoc(endpoint.handler),
            "operationId": name,
            "parameters": [
                _parameter(each, endpoint.path)
                for each in parameters_of(endpoint.handler)
            ],
            "responses": self._responses(endpoint),
        }
        if endpoint.body:
            content = _json(endpoint.body)
            operation["requestBody"] = {"required": True, "content": content}
        if endpoint.role == "admin":
            operation["security"] = _SECURITY
        return operation

    def _responses(self, endpoint: RouteRow) -> Schema:
        content = _json(endpoint.answer)
        refusals = _errors(self._refusals(endpoint))
        if endpoint.method == "GET":
            headers = {"ETag": _ETAG}
            asked = "What was asked for."
            same = "If-None-Match holds the ETag of what would be sent."
            return {
                "200": {"description": asked, "headers": headers, "content": content},
                "304": {"description": same, "headers": headers},
                **refusals,
            }
        done = {
            str(endpoint.status): {"description": "It is done.", "content": content}
        }
        if endpoint.again:
            done["200"] = {"description": endpoint.again, "content": content}
        return done | refusals

    def _refusals(self, endpoint: RouteRow) -> dict[str, str]:
        refusals = {"400": "A parameter is unknown, repeated, missing or wrong."}
        if not self._options.is_open(endpoint.role):
            refusals["401"] = "There is no token, or none that is valid."
            refusals["403"] = f"The token's role does not include `{endpoint.role}`."
        if endpoint.not_found:
            codes = " or ".join(f"`{code}`" for code in endpoint.not_found)
            refusals["404"] = f"It is not known here: {codes}."
        if endpoint.body:
            refusals["400"] = "The body is no JSON, or a parameter is unknown."
            refusals["413"] = "The body is too large."
            refusals["422"] = "The body says what cannot be: `detail` names it."
        if self._options.wants_loopback_host:
            refusals["421"] = "The Host is no name of this machine's loopback."
        refusals["503"] = "The database does not answer as it should."
        return refusals


_SCHEMES: Final[Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Any user name, with a token as the password.",
    },
}
_SECURITY: Final[list[Schema]] = [{name: []} for name in _SCHEMES]
_ETAG: Final[Schema] = {
    "description": "Of this answer, for If-None-Match.",
    "schema": {"type": "string"},
}
_RETRY_AFTER: Final[Schema] = {
    "description": "Seconds to wait before asking again.",
    "schema": {"type": "integer"},
}


def _errors(refusals: Mapping[str, str]) -> Schema:
    """Each status with the one shape."""
    return {
        status: {"description": text, "content": _json("Error")}
        | ({"headers": {"Retry-After": _RETRY_AFTER}} if status == "503" else {})
        for status, text in refusals.items()
    }


def _json(name: str) -> Schema:
    return {"application/json": {"schema": reference_to(name)}}


def _parameter(parameter: Parameter, path: str) -> Schema:
    schema = parameter.schema()
    return {
        "name": parameter.name,
        "in": "path" if f"{{{parameter.name}}}" in path else "query",
        "required": parameter.is_required,
        "description": schema.pop("description"),
        "schema": schema,
    }


REFERENCE: Final = "#/components/schemas/{model}"
ROWS: Final[dict[str, type[Report]]] = {
    "Registry": RegistryReport,
    "Repository": RepositoryReport,
    "Tag": TagReport,
    "Crawl": RepositoryCrawlReport,
    "SearchHit": SearchHit,
}
_AGES: Final = (
    {
        "type": "boolean",
        "description": "The last crawl failed, or two intervals went by without one.",
    },
    {
        "anyOf": [{"type": "integer"}, {"type": "null"}],
        "description": "Since the last complete crawl; null if there was none.",
    },
)
# Every state by its name: a client should not have to guess which there are.
_STATE_NAMES: Final = [each for each in get_args(RepositoryState) if each != "deleted"]
_STATES: Final = {
    "type": "object",
    "description": "How many repositories are in which state.",
    "properties": {state: {"type": "integer"} for state in _STATE_NAMES},
    "required": _STATE_NAMES,
}
_TEXT_OR_NULL: Final = {"anyOf": [{"type": "string"}, {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class ImageLayer(UncompressedSize):
    """One layer. A foreign one is outside the registry and counts in a pull.

    `compressed_bytes` is the registry's word where `compressed_confidence` is `known`
    or `disputed`, `claimed_bytes` what the manifest says; `claim_reason` says why there
    is no word.
    """

    digest: Digest
    media_type: str
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    claimed_bytes: int
    claim_reason: str | None
    foreign: bool


@dataclass(frozen=True, slots=True)
class ImageLine:
    """One line of the history; `layer` is an index into `layers`, null for none.

    Both sizes are null where it is not known which layer the line made.
    """

    instruction: str
    created_at: datetime | None
    layer: int | None
    compressed_bytes: int | None
    uncompressed_bytes: int | None


@dataclass(frozen=True, slots=True)
class ImageProblem:
    """What is wrong with an image whose sizes are good all the same."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ImageAnswer(UncompressedSize):
    """The image of one platform. `base` and `savings` are null where the base is
    not known."""

    platform: str
    digest: Digest
    media_type: str
    config_digest: Digest
    created_at: datetime | None
    compressed_bytes: int
    compressed_confidence: CompressedConfidence
    claimed_bytes: int
    layers: list[ImageLayer]
    lines: list[ImageLine]
    history_alignment: HistoryAlignment
    problems: list[ImageProblem]
    base: ImageBaseAnswer | None
    advice: list[AdviceAnswer]
    savings: list[SavingAnswer] | None


@dataclass(frozen=True, slots=True)
class OtherItem:
    """What the same index lists and is no image."""

    digest: Digest
    media_type: str
    role: Role
    stored_bytes: int | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a weighing took; null for what is answered from the store."""

    requests: int
    bytes_read: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ReferenceAnswer:
    """One reference, weighed; `images` is empty for what is no image."""

    schema: Literal["weighbridge.inspect/1"]
    reference: str
    registry: str
    repository: str
    tag: str | None
    digest: Digest
    media_type: str
    kind: Literal["image", "index", "artifact", "unweighable"]
    platforms: list[str]
    images: list[ImageAnswer]
    others: list[OtherItem]
    cost: Cost | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """`code` is stable; `detail` is what a program needs besides, or null."""

    code: str
    message: str
    detail: object


@dataclass(frozen=True, slots=True)
class Error:
    """Every answer that is not what was asked for."""

    error: ErrorBody


_VALUES: Final = (
    BaseList,
    KnownBaseList,
    OneBase,
    ReferenceAnswer,
    ComparisonAnswer,
    Error,
    ChannelReport,
    CrawlAsked,
    CrawlRequestRow,
    CrawlInput,
    DisputeRow,
    PolicyDecision,
    ReclaimRow,
    StorageRow,
    TrafficRow,
    CostsAnswer,
    HeadroomRow,
    HistoryAnswer,
    ImageLimits,
    OneLimitSimulation,
    ViolationRow,
    WaiverRow,
    WaiverInput,
)


@cache
def schemas() -> dict[str, Schema]:
    """Every component by name: rows, their lists, an image, the error."""
    found: dict[str, Schema] = {}
    for name, kind in ROWS.items():
        found[name] = _row(name, kind)
        found[f"{name}List"] = _list_of(name)
    found["OneRepository"] = _row("OneRepository", RepositoryReport, is_whole=True)
    found["ChannelList"] = _list_of("ChannelReport")
    found["HeadroomList"] = _list_of("HeadroomRow")
    found["WaiverList"] = _list_of("WaiverRow")
    found["ViolationList"] = _list_of("ViolationRow")
    found["DisputeList"] = _list_of("DisputeRow")
    found["TrafficList"] = _list_of("TrafficRow")
    for value in _VALUES:
        adapter: TypeAdapter[object] = TypeAdapter(value)
        whole = adapter.json_schema(mode="serialization", ref_template=REFERENCE)
        found |= whole.pop("$defs", {})
        found[whole["title"]] = whole
    return found


def reference_to(name: str) -> Schema:
    """A schema that is the one of this name."""
    return {"$ref": REFERENCE.format(model=name)}


def _row(name: str, kind: type[Report], *, is_whole: bool = False) -> Schema:
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    schema["title"] = name
    schema["description"] = (kind.__doc__ or "").partition("\n")[0]
    properties = schema["properties"]
    properties |= {key: _TEXT_OR_NULL for key in REASONS if key in properties}
    if "repository_states" in properties:
        properties["repository_states"] = _STATES
    if issubclass(kind, AGED):
        properties |= zip(AGES, _AGES, strict=True)
        schema["required"] = [*schema["required"], *AGES]
    if is_whole:
        decisions = {"type": "array", "items": reference_to("PolicyDecision")}
        properties["policies"] = decisions
        violations = {"type": "array", "items": reference_to("ViolationRow")}
        properties["violations"] = violations
        steps = {"type": "array", "items": reference_to("HistoryStepRow")}
        properties["history"] = steps
        whole = ("policies", "violations", "history")
        schema["required"] = [*schema["required"], *whole]
    return schema


def _list_of(name: str) -> Schema:
    return {
        "type": "object",
        "description": "`next_cursor` asks for the page after this one; null: none.",
        "properties": {
            "items": {"type": "array", "items": reference_to(name)},
            "next_cursor": _TEXT_OR_NULL,
        },
        "required": ["items", "next_cursor"],
    }
