"""The API's own description, made of the table of routes."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from weighbridge import __version__
from weighbridge.web.options import WebOptions
from weighbridge.web.request.answers import json_answer
from weighbridge.web.request.parameters import Parameter, Schema, parameters_of
from weighbridge.web.routes.route_row import RouteRow
from weighbridge.web.routes.shapes import reference_to, schemas

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
