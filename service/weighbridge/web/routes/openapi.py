"""The API's own description: parameters from the routes, answers from a table here.

FastAPI would promise a 422 that is never sent, and nothing of what is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from weighbridge import __version__
from weighbridge.web.options import Role, WebOptions
from weighbridge.web.request.answers import json_answer
from weighbridge.web.routes.shapes import Schema, reference_to, schemas

PATH: Final = "/api/v1/openapi.json"
_ABOUT: Final = (
    "What Weighbridge knows of container images. Operations read, but for those of "
    "waivers and crawls that need the role admin; HEAD is answered wherever GET is. "
    "Bytes are integers, times RFC 3339 in UTC, and what is not known is null, never "
    "0. A sum that is larger than 2^63-1 is written as 2^63-1, and the key `saturated` "
    "beside it, which is absent otherwise, lists the keys of such numbers."
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a route answers: the schema of its 200, the codes of its 404."""

    schema: str
    not_found: tuple[str, ...] = ()


ANSWERS: Final[Mapping[str, Answers]] = {
    "/api/v1/crawl-requests/{request_id}": Answers(
        "CrawlRequestRow", ("request_not_found",)
    ),
    "/api/v1/registries": Answers("RegistryList"),
    "/api/v1/repositories": Answers("RepositoryList", ("registry_not_found",)),
    "/api/v1/repository": Answers("OneRepository", ("repository_not_found",)),
    "/api/v1/tags": Answers("TagList", ("repository_not_found",)),
    "/api/v1/disputes": Answers(
        "DisputeList", ("registry_not_found", "repository_not_found")
    ),
    "/api/v1/headroom": Answers("HeadroomList", ("registry_not_found",)),
    "/api/v1/image": Answers("Weighing", ("repository_not_found", "image_not_found")),
    "/api/v1/limits": Answers("ImageLimits", ("registry_not_found",)),
    "/api/v1/notifications": Answers("ChannelList"),
    "/api/v1/crawls": Answers(
        "CrawlList", ("registry_not_found", "repository_not_found")
    ),
    "/api/v1/crawls/{crawl_id}": Answers("Crawl", ("crawl_not_found",)),
    "/api/v1/search": Answers("SearchHitList"),
    "/api/v1/simulation": Answers("OneLimitSimulation", ("registry_not_found",)),
    "/api/v1/violations": Answers(
        "ViolationList", ("registry_not_found", "repository_not_found")
    ),
    "/api/v1/waivers": Answers("WaiverList"),
}


@dataclass(frozen=True, slots=True)
class WriteAnswers(Answers):
    """The same of a route that changes something.

    status: of what went well
    body:   the schema of what is sent, "" for nothing
    again:  what a 200 says beside that status; "": there is none
    """

    status: str = "200"
    body: str = ""
    again: str = ""


WRITE_ANSWERS: Final[Mapping[tuple[str, str], WriteAnswers]] = {
    ("POST", "/api/v1/crawls"): WriteAnswers(
        "CrawlAsked",
        ("registry_not_found",),
        "202",
        "CrawlInput",
        "The same was asked for before and is under way: its number.",
    ),
    ("POST", "/api/v1/waivers"): WriteAnswers(
        "WaiverRow", ("registry_not_found",), "201", "WaiverInput"
    ),
    ("DELETE", "/api/v1/waivers/{waiver_id}"): WriteAnswers(
        "WaiverRow", ("waiver_not_found",)
    ),
}


class Description:
    """The OpenAPI document of an app, written when it is first asked for."""

    def __init__(self, app: FastAPI, options: WebOptions) -> None:
        self._app = app
        self._options = options
        self._document: Schema | None = None

    async def openapi(self, request: Request) -> Response:
        """This document."""
        if self._document is None:
            self._document = self._written()
        return json_answer(request, self._document)

    def _written(self) -> Schema:
        document = get_openapi(
            title="Weighbridge",
            version=__version__,
            description=_ABOUT,
            routes=self._app.routes,
        )
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                parameters = operation.get("parameters", [])
                operation["parameters"] = [_parameter(each) for each in parameters]
                if method == "get":
                    operation["responses"] = self._responses(ANSWERS[path])
                else:
                    self._describe(operation, WRITE_ANSWERS[method.upper(), path])
        document["components"] = {
            "schemas": schemas(),
            "securitySchemes": _SCHEMES,
        }
        if not self._options.is_open("read"):
            document["security"] = [{name: []} for name in _SCHEMES]
        return document

    def _describe(self, operation: Schema, answers: WriteAnswers) -> None:
        """What a route that writes takes and answers. It always asks for a token."""
        refusals = self._refusals(answers, "admin")
        if answers.body:
            content = _json(answers.body)
            operation["requestBody"] = {"required": True, "content": content}
            refusals["400"] = "The body is no JSON, or a parameter is unknown."
            refusals["413"] = "The body is too large."
            refusals["422"] = "The body says what cannot be: `detail` names it."
        done = {"description": "It is done.", "content": _json(answers.schema)}
        responses = {answers.status: done} | _errors(refusals)
        if answers.again:
            responses["200"] = {**done, "description": answers.again}
        operation["responses"] = responses
        operation["security"] = [{name: []} for name in _SCHEMES]

    def _refusals(self, answers: Answers, role: Role) -> dict[str, str]:
        refusals = {"400": "A parameter is unknown, repeated, missing or wrong."}
        if not self._options.is_open(role):
            refusals["401"] = "There is no token, or none that is valid."
            refusals["403"] = f"The token's role does not include `{role}`."
        if answers.not_found:
            codes = " or ".join(f"`{code}`" for code in answers.not_found)
            refusals["404"] = f"It is not known here: {codes}."
        if self._options.wants_loopback_host:
            refusals["421"] = "The Host is no name of this machine's loopback."
        refusals["503"] = "The database does not answer as it should."
        return refusals

    def _responses(self, answers: Answers) -> Schema:
        return {
            "200": {
                "description": "What was asked for.",
                "headers": {"ETag": _ETAG},
                "content": _json(answers.schema),
            },
            "304": {
                "description": "If-None-Match holds the ETag of what would be sent.",
                "headers": {"ETag": _ETAG},
            },
            **_errors(self._refusals(answers, "read")),
        }


_SCHEMES: Final[Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Any user name, with a token as the password.",
    },
}
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


def _parameter(parameter: Schema) -> Schema:
    """Without null: a parameter that is not wanted is left out."""
    schema = parameter["schema"]
    if not isinstance(schema, dict) or "anyOf" not in schema:
        return parameter
    first, *_ = _not_null(schema["anyOf"])
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**parameter, "schema": {**first, **rest}}


def _not_null(schemas: Sequence[Schema]) -> list[Schema]:
    return [schema for schema in schemas if schema.get("type") != "null"]
