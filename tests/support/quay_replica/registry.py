"""What `/v2` of Quay answers (endpoints/v2/*.py), and the storage that it redirects
to."""

import re
from typing import Final
from urllib.parse import parse_qs

from support.quay_replica.state import (
    API_TOKEN,
    OAUTH_USER,
    ROBOT,
    ROBOT_PASSWORD,
    Quay,
    basic,
)
from support.vendor_hosts import Fields, Reply, Request, host_of, json_reply
from weighbridge.demo.http.server import DemoReply
from weighbridge.demo.http.server import answer as registry_answer

_MOST: Final = 100
_SCOPE: Final = re.compile(r"repository:([.a-zA-Z0-9_/-]+):pull")
_DOCUMENT: Final = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)")
_LISTING: Final = re.compile(r"/v2/(.+)/tags/list")
_STORED: Final = re.compile(r"/signed/(.+)/(sha256:[0-9a-f]{64})\?X-Amz-Signature=1")


def registry(quay: Quay, asked: Request) -> Reply:
    path, _, query = asked.target.partition("?")
    if asked.method == "GET" and path == "/v2/auth":
        return _sign_in(quay, asked, query)
    if asked.method == "GET" and path == "/v2/_catalog":
        return _catalog(quay, asked, query)
    found = _DOCUMENT.fullmatch(path) or _LISTING.fullmatch(path)
    name = found[1] if found is not None else ""
    if found is None and path != "/v2/":
        return _violation(quay, asked)
    scheme, _, token = asked.authorization.partition(" ")
    if scheme not in ("", "Bearer") or token == API_TOKEN:
        quay.violations.append(f"another secret than a pull token at {path}")
    granted = quay.pull_tokens.get(token)
    if granted is None or (name and granted != name):
        return _challenge(quay, name)
    if not name:
        quay.counts["ping"] += 1
        return json_reply(200, True)
    if name in quay.lost:
        return _errors(404, "NAME_UNKNOWN", "repository name not known to registry")
    target = asked.target
    if _LISTING.fullmatch(path):
        # n is cut to what it allows, and no error.
        last = parse_qs(query).get("last")
        target = f"{path}?n={_MOST}" + (f"&last={last[0]}" if last else "")
    made = registry_answer(quay.content, asked.method, target, asked.headers)
    quay.counts[made.kind] += 1
    if made.blob is None:
        return Reply(made.status, made.headers, made.body, made.content_length)
    digest = path.rpartition("/")[2]
    place = f"{quay.storage_url}/signed/{name}/{digest}?X-Amz-Signature=1"
    head = (("Location", place), ("Docker-Content-Digest", digest))
    return Reply(302, (*head, ("Accept-Ranges", "bytes")))


def storage(quay: Quay, asked: Request) -> Reply:
    """Another host; a second secret beside the one in the address is an error there."""
    found = _STORED.fullmatch(asked.target)
    if found is None or asked.authorization:
        return _violation(quay, asked, 400)
    target = f"/v2/{found[1]}/blobs/{found[2]}"
    made: DemoReply = registry_answer(quay.content, asked.method, target, asked.headers)
    if made.blob is None or asked.method == "HEAD":
        return Reply(made.status, made.headers, made.body, made.content_length)
    if made.content_length > 1024 * 1024:
        return _violation(quay, asked, 403)
    return Reply(made.status, made.headers, made.blob.read(made.first, made.last))


def _sign_in(quay: Quay, asked: Request, query: str) -> Reply:
    """endpoints/v2/v2auth.py: a token holds for an hour and does not say so."""
    quay.counts["token"] += 1
    said = parse_qs(query)
    users = (basic(ROBOT, ROBOT_PASSWORD), basic(OAUTH_USER, API_TOKEN))
    if said.get("service") != [host_of(quay.url)]:
        return _violation(quay, asked, 400)
    if asked.authorization not in ("", *users):
        return _errors(401, "UNAUTHORIZED", "Invalid Username or Password")
    scopes = said.get("scope", [])
    if not asked.authorization and not scopes:
        return _errors(401, "UNAUTHORIZED", "access to the resource is not authorized")
    name = ""
    for scope in scopes:
        found = _SCOPE.fullmatch(scope)
        if found is None:
            return _violation(quay, asked, 400)
        if quay.is_shown(found[1], to_user=bool(asked.authorization)):
            name = found[1]
    token = quay.new_pull_token(name, is_user=bool(asked.authorization))
    return json_reply(200, {"token": token})


def _catalog(quay: Quay, asked: Request, query: str) -> Reply:
    """endpoints/v2/catalog.py: who has no token is shown nothing, and not asked for
    one. The page length is cut to what it allows."""
    quay.counts["catalog"] += 1
    scheme, _, token = asked.authorization.partition(" ")
    if asked.authorization and (scheme != "Bearer" or token not in quay.pull_tokens):
        return _challenge(quay, "")
    names = quay.content.repositories() if token in quay.users_tokens else ()
    seen = [name for name in names if quay.is_shown(name, to_user=True)]
    start = int(parse_qs(query).get("next_page", ["0"])[0])
    end = start + quay.list_length
    more: Fields = ()
    if end < len(seen):
        place = f"{quay.url}/v2/_catalog?n={quay.list_length}&next_page={end}"
        more = (("Link", f'<{place}>; rel="next"'),)
    return json_reply(200, {"repositories": seen[start:end]}, more)


def _challenge(quay: Quay, name: str) -> Reply:
    quay.counts["registry_401"] += 1
    value = f'Bearer realm="{quay.url}/v2/auth",service="{host_of(quay.url)}"'
    if name:
        value += f',scope="repository:{name}:pull"'
    more = (("WWW-Authenticate", value),)
    return _errors(401, "UNAUTHORIZED", "access is not authorized", more)


def _violation(quay: Quay, asked: Request, status: int = 404) -> Reply:
    quay.violations.append(f"{asked.method} {asked.target}")
    return _errors(status, "UNSUPPORTED", "not here")


def _errors(status: int, code: str, message: str, more: Fields = ()) -> Reply:
    fault = {"code": code, "detail": {}, "message": message}
    return json_reply(status, {"errors": [fault]}, more)
