"""What `/service/token` and `/v2` of Harbor answer: src/core/service/token and
src/server/middleware/v2auth."""

import re
from typing import Final
from urllib.parse import parse_qs

from support.harbor_replica.api import api, refusal
from support.harbor_replica.state import Harbor, basic
from support.vendor_hosts import Fields, Reply, Request, json_reply
from weighbridge.demo.http.server import answer as registry_answer

_SERVICE: Final = "harbor-registry"
_CONTENT: Final = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)")


def harbor_host(harbor: Harbor, asked: Request) -> Reply:
    """All of it has one host."""
    if asked.target.startswith("/api/v2.0/"):
        return api(harbor, asked)
    if asked.target.partition("?")[0] == "/service/token":
        return _token(harbor, asked)
    return _registry(harbor, asked)


def _token(harbor: Harbor, asked: Request) -> Reply:
    harbor.counts["token"] += 1
    if asked.method != "GET":
        harbor.violations.append(f"{asked.method} {asked.target}")
        return json_reply(405, {})
    said = parse_qs(asked.target.partition("?")[2])
    scope = said.get("scope", [""])[0].split(":")
    if said.get("service") != [_SERVICE] or (scope[0] and scope[2:] != ["pull"]):
        harbor.violations.append(f"GET {asked.target}")
    is_robot = harbor.is_robot(asked.authorization)
    if asked.authorization and not is_robot:
        return refusal(401, "unauthorized: authentication required")
    name = scope[1] if scope[0] == "repository" else ""
    if name and not harbor.is_shown(name.partition("/")[0], to_robot=is_robot):
        name = ""  # a token is given, and is good for nothing
    token = harbor.new_token(name)
    return json_reply(200, {"token": token, "access_token": "", "expires_in": 1800})


def _registry(harbor: Harbor, asked: Request) -> Reply:
    """A robot's Basic would be taken here too; we are told to fetch a token."""
    found = _CONTENT.fullmatch(asked.target)
    if found is None and asked.target != "/v2/":
        harbor.violations.append(f"{asked.method} {asked.target}")
        return refusal(404, "not here")
    scheme, _, token = asked.authorization.partition(" ")
    if scheme != "Bearer" or token not in harbor.tokens:
        if asked.authorization == basic():
            harbor.violations.append(f"a password where a token is wanted: {asked}")
        return _challenge(harbor, "" if found is None else found[1])
    if found is None:
        return json_reply(200, {})
    name, _, reference = found.groups()
    if name.partition("/")[0] in harbor.caches:
        harbor.violations.append(f"pulled through a cache: {asked.target}")
    if harbor.tokens[token] != name:
        harbor.counts["registry_403"] += 1
        return refusal(403, "forbidden")
    made = registry_answer(harbor.content, asked.method, asked.target, asked.headers)
    harbor.counts[made.kind] += 1
    served = harbor.content.manifest(name, reference)
    if served is not None and served.digest in harbor.unserved:
        error = {"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}
        return json_reply(404, {"errors": [error]})
    if served is not None and served.digest in harbor.prevented:
        told = "current image with 7 vulnerabilities cannot be pulled"
        error = {"code": "PROJECTPOLICYVIOLATION", "message": told}
        return json_reply(412, {"errors": [error]})
    # getManifest of src/server/registry/manifest.go: not by HEAD
    is_pull = served is not None and asked.method == "GET"
    harbor.pulls[name] += is_pull
    if made.blob is None or asked.method == "HEAD":
        return Reply(made.status, made.headers, made.body, made.content_length)
    if made.content_length > 1024 * 1024:
        harbor.violations.append(f"a layer is read whole: {asked.target}")
        return refusal(403, "too much")
    return Reply(made.status, made.headers, made.blob.read(made.first, made.last))


def _challenge(harbor: Harbor, name: str) -> Reply:
    harbor.counts["registry_401"] += 1
    value = f'Bearer realm="{harbor.url}/service/token",service="{_SERVICE}"'
    if name:
        value += f',scope="repository:{name}:pull"'
    fields: Fields = (
        ("Www-Authenticate", value),
        ("Docker-Distribution-Api-Version", "registry/2.0"),
    )
    return refusal(401, "unauthorized: unauthorized", fields)
