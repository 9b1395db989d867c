"""The shapes of JSON answers, as schemas for the OpenAPI document.

Rows are those of the read model under `rows.REASONS`; an image is what
`domain.size.weighing.as_json` writes. The tests hold real answers against them.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, Literal, get_args

from pydantic import TypeAdapter

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
from weighbridge.domain.size.confidence import CompressedConfidence, Confidence
from weighbridge.presentation.rows.policy_rows import (
    ImageLimits,
    OneLimitSimulation,
    PolicyDecision,
    ViolationRow,
    WaiverInput,
    WaiverRow,
)
from weighbridge.presentation.rows.report_rows import (
    AGED,
    AGES,
    REASONS,
    DisputeRow,
    Report,
)
from weighbridge.web.api.crawl_request_rows import (
    CrawlAsked,
    CrawlInput,
    CrawlRequestRow,
)
from weighbridge.web.api.headroom import HeadroomRow
from weighbridge.web.request.parameters import Schema

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
class UncompressedSize:
    """Bytes after decompression. Null is unknown, never 0; the reason says why."""

    uncompressed_bytes: int | None
    uncompressed_confidence: Confidence
    uncompressed_low_bytes: int | None
    uncompressed_high_bytes: int | None
    uncompressed_reason: str | None


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
    """The image of one platform. `base` is always null in this release."""

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
    base: None


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
    ReferenceAnswer,
    Error,
    ChannelReport,
    CrawlAsked,
    CrawlRequestRow,
    CrawlInput,
    DisputeRow,
    PolicyDecision,
    HeadroomRow,
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
        schema["required"] = [*schema["required"], "policies", "violations"]
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
