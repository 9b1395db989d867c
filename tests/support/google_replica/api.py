"""The Artifact Registry API: repositories of a project and their packages, as its
discovery document has them."""

import base64
import json
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from support.answer_shapes import misfits
from support.google_replica.schema import BY_NAME
from support.google_replica.state import ACCESS_TOKEN, KEY, Google
from support.vendor_hosts import Reply, Request, json_reply

LOCATION: Final = "europe-west1"
_REPOSITORIES: Final = re.compile(
    rf"/v1/(projects/([^/]+)/locations/{LOCATION}/repositories)"
)
_PACKAGES: Final = re.compile(
    rf"/v1/(projects/([^/]+)/locations/{LOCATION}/repositories/([^/]+)/packages)"
)
_TAGS: Final = re.compile(
    rf"/v1/(projects/([^/]+)/locations/{LOCATION}/repositories/([^/]+)"
    r"/packages/([^/]+))/tags"
)
_MOST: Final = 1_000
_AUDIENCE: Final = "https://artifactregistry.googleapis.com/"


def api(google: Google, asked: Request) -> Reply:
    """artifactregistry.googleapis.com."""
    google.counts["api"] += 1
    path, _, query = asked.target.partition("?")
    if not _is_known(google, asked.authorization):
        return _error(401, "UNAUTHENTICATED")
    if google.api_refuses:
        return _error(google.api_refuses, "PERMISSION_DENIED")
    names = google.content.repositories()
    if found := _REPOSITORIES.fullmatch(path):
        folder = found[2].replace(":", "/")
        kept = sorted({_second(n, folder) for n in names if n.startswith(f"{folder}/")})
        entries = [_repository(f"{found[1]}/{name}") for name in kept]
        entries += [
            _repository(f"{found[1]}/wheels") | {"format": "PYTHON"},
            _repository(f"{found[1]}/all") | {"mode": "VIRTUAL_REPOSITORY"},
        ]
        return _page(google, asked, "repositories", entries, query)
    if found := _PACKAGES.fullmatch(path):
        folder = f"{found[2].replace(':', '/')}/{found[3]}/"
        kept = [n.removeprefix(folder) for n in names if n.startswith(folder)]
        entries = [{"name": f"{found[1]}/{quote(name, safe='')}"} for name in kept]
        return _page(google, asked, "packages", entries, query)
    if found := _TAGS.fullmatch(path):
        name = f"{found[2].replace(':', '/')}/{found[3]}/{unquote(found[4])}"
        return _page(google, asked, "tags", [*_tags(google, name, found[1])], query)
    google.violations.append(f"{asked.method} {path}")
    return _error(404, "NOT_FOUND")


def _tags(google: Google, name: str, package: str) -> Iterator[dict[str, Any]]:
    for tag in google.content.tags(name) or ():
        served = google.content.manifest(name, tag)
        assert served is not None
        version = f"{package}/versions/{served.digest}"
        yield {"name": f"{package}/tags/{tag}", "version": version}


def _second(name: str, folder: str) -> str:
    return name.removeprefix(f"{folder}/").partition("/")[0]


def _repository(name: str) -> dict[str, object]:
    return {
        "name": name,
        "format": "DOCKER",
        "mode": "STANDARD_REPOSITORY",
        "sizeBytes": "123",
        "updateTime": "2026-03-04T05:06:07.890Z",
    }


def _page(
    google: Google,
    asked: Request,
    key: str,
    entries: list[dict[str, Any]],
    query: str,
) -> Reply:
    said = {name: values[0] for name, values in parse_qs(query).items()}
    length = int(said.get("pageSize", "100"))
    path = asked.target.partition("?")[0]
    token = said.get("pageToken", "")
    of_path, start = google.page_tokens.get(token, ("", 0)) if token else (path, 0)
    is_known = said.keys() <= {"pageSize", "pageToken"} and of_path == path
    if asked.method != "GET" or not is_known or not 1 <= length <= _MOST:
        google.violations.append(f"{asked.method} {asked.target}")
        return _error(400, "INVALID_ARGUMENT")
    end = start + min(length, google.api_page)
    body: dict[str, Any] = {}
    if shown := entries[start:end]:
        body[key] = shown  # an empty list is left out
    if end < len(entries):
        body["nextPageToken"] = token = secrets.token_urlsafe(9) + "+/="
        google.page_tokens[token] = path, end
    google.violations += misfits(body, BY_NAME[key])
    if google.api_edit is not None:
        google.api_edit(body)
    return json_reply(200, body)


def _is_known(google: Google, authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer":
        google.violations.append(f"{scheme or 'nobody'} at the API")
        return False
    if token == ACCESS_TOKEN:
        return True
    head, claims, signature = token.split(".")
    if google.public_key is None:
        return False
    try:
        signed = f"{head}.{claims}".encode()
        google.public_key.verify(_raw(signature), signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    said = json.loads(_raw(claims))
    begins, ends = int(said["iat"]), int(said["exp"])
    is_now = begins <= time.time() + 60 and time.time() < ends <= begins + 3_600
    is_ours = {said["iss"], said["sub"]} == {KEY["client_email"]}
    expected = {"alg": "RS256", "typ": "JWT", "kid": KEY["private_key_id"]}
    is_good = json.loads(_raw(head)) == expected and said["aud"] == _AUDIENCE
    return is_now and is_ours and is_good


def _raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _error(status: int, word: str) -> Reply:
    return json_reply(
        status, {"error": {"code": status, "message": "refused", "status": word}}
    )
