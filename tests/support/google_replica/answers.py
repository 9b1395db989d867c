"""What the registry, its token service and its storage answer, each as strictly as the
real one."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from support.google_replica.state import ACCESS_TOKEN, KEY, UPLOADED_AT, Google
from support.vendor_hosts import Fields, Reply, Request, host_of, json_reply
from weighbridge.demo.content.stored_documents import Served
from weighbridge.demo.http.server import answer as registry_answer

_TAGS: Final = re.compile(r"/v2/(.+)/tags/list")
_CONTENT: Final = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)")
_MOST_BYTES: Final = 1024 * 1024


def registry(google: Google, asked: Request) -> Reply:
    """LOCATION-docker.pkg.dev."""
    path, _, query = asked.target.partition("?")
    if path == "/v2/token":
        return _token(google, asked, query)
    if google.throttled > 0:
        google.throttled -= 1
        google.counts["429"] += 1
        words = "Quota exceeded for quota metric 'Requests per project per region'"
        return _errors(429, "TOOMANYREQUESTS", words, (("Retry-After", "1"),))
    _forget(google)
    listing, content = _TAGS.fullmatch(path), _CONTENT.fullmatch(path)
    name = listing[1] if listing else content[1] if content else ""
    shown = _shown(google, asked)
    if shown is None or shown[0] not in (name, ""):
        google.counts["401"] += 1
        return _challenge(google, name)
    if not name:
        return _of_all(google, asked, path)
    if not google.may_read(name, is_user=shown[1]):
        google.counts["403"] += 1
        words = 'Permission "artifactregistry.repositories.downloadArtifacts" denied'
        return _errors(403, "DENIED", words)
    if listing:
        return _listing(google, asked, name, query)
    return _document(google, asked, name)


def _forget(google: Google) -> None:
    if google.forget_after is None:
        return
    google.forget_after -= 1
    if google.forget_after < 0:
        google.tokens.clear()
        google.forget_after = None


def _of_all(google: Google, asked: Request, path: str) -> Reply:
    """What is about no repository."""
    if path == "/v2/":
        return json_reply(200, {})
    if path != "/v2/_catalog":
        return _violation(google, asked)
    google.counts["catalog"] += 1
    if not google.has_catalog:
        return _errors(404, "NAME_UNKNOWN", "no such page")
    return json_reply(200, {"repositories": [*google.content.repositories()]})


def storage(google: Google, asked: Request) -> Reply:
    """Where blobs are: an address that the registry gave says itself who may."""
    if asked.authorization:
        google.violations.append(f"a secret at the storage: {asked.target}")
    if asked.target not in google.links:
        return _violation(google, asked)
    path = asked.target.partition("?")[0]
    made = registry_answer(google.content, asked.method, path, asked.headers)
    google.counts[made.kind] += 1
    return _made(google, asked, made)


def _token(google: Google, asked: Request, query: str) -> Reply:
    google.counts["token"] += 1
    said = parse_qs(query)
    kind, _, rest = said.get("scope", [""])[0].partition(":")
    name, _, action = rest.rpartition(":")
    is_pull = (kind, action) == ("repository", "pull")
    is_known = is_pull or said.get("scope") in (None, ["registry:catalog:*"])
    is_here = said.get("service") == [host_of(google.url)]
    is_asked_well = asked.method == "GET" and is_known and is_here
    if not is_asked_well:
        return _violation(google, asked)
    who = _user(asked.authorization)
    if who is None:
        return _errors(401, "UNAUTHORIZED", "authentication failed")
    token = google.new_token(name if kind == "repository" else "", is_user=who)
    said_back = {
        "token": token,
        "expires_in": 3600,
        "issued_at": "2026-01-01T00:00:00Z",
    }
    return json_reply(200, said_back)


def _user(authorization: str) -> bool | None:
    """Whether somebody signs in; None for a false password."""
    if not authorization:
        return False
    scheme, _, pair = authorization.partition(" ")
    if scheme != "Basic":
        return None
    user, _, password = base64.b64decode(pair).decode().partition(":")
    if user == "oauth2accesstoken":
        return True if password == ACCESS_TOKEN else None
    try:
        # Another private key is one that can sign.
        shown = json.loads(password) | {"private_key": KEY["private_key"]}
        is_key = user == "_json_key" and shown == KEY
    except (ValueError, TypeError):
        return None
    return True if is_key else None


def _shown(google: Google, asked: Request) -> tuple[str, bool] | None:
    """The repository of the token that is shown, and whether it is a user's; None: no
    good one. A token of Google is shown nowhere else."""
    scheme, _, token = asked.authorization.partition(" ")
    return google.tokens.get(token) if scheme == "Bearer" else None


def _listing(google: Google, asked: Request, name: str, query: str) -> Reply:
    google.counts["tags"] += 1
    is_get = asked.method == "GET"
    if not is_get or not parse_qs(query).keys() <= {"n", "last"}:
        return _violation(google, asked)
    content = google.content
    folder = f"{name}/"
    below = [n[len(folder) :] for n in content.repositories() if n.startswith(folder)]
    children = sorted({rest.partition("/")[0] for rest in below})
    tags = content.tags(name)
    if tags is None and not children and google.unknown == "404":
        return _errors(404, "NAME_UNKNOWN", f"no {name}")
    body: dict[str, Any] = {
        "child": children,
        "manifest": dict(_manifests(google, name)),
        "name": name,
        "tags": [*(tags or ())],
    }
    if google.edit is not None and isinstance(edited := google.edit(name, body), Reply):
        return edited
    return json_reply(200, body)


def _manifests(google: Google, name: str) -> Iterator[tuple[str, dict[str, object]]]:
    content = google.content
    tagged: dict[str, list[str]] = {}
    found: dict[str, Served] = {}
    for tag in content.tags(name) or ():
        served = content.manifest(name, tag)
        assert served is not None
        tagged.setdefault(served.digest, []).append(tag)
        found[served.digest] = served
    for served in [*found.values()]:
        for child in json.loads(served.content).get("manifests", ()):
            below = content.manifest(name, child["digest"])
            assert below is not None
            found[below.digest] = below
    for digest, served in found.items():
        yield digest, _manifest(served, tagged.get(digest, []))


def _manifest(served: Served, tags: list[str]) -> dict[str, object]:
    layers = json.loads(served.content).get("layers", ())
    return {
        "imageSizeBytes": str(sum(layer["size"] for layer in layers)),
        "layerId": "",
        "mediaType": served.media_type,
        "tag": tags,
        "timeCreatedMs": "0",
        "timeUploadedMs": str(int(UPLOADED_AT.timestamp() * 1000)),
    }


def _document(google: Google, asked: Request, name: str) -> Reply:
    made = registry_answer(google.content, asked.method, asked.target, asked.headers)
    if made.blob is not None:
        google.counts["redirect"] += 1
        link = f"{asked.target}?Signature={len(google.links)}"
        google.links.add(link)
        return Reply(302, (("Location", f"{google.storage_url}{link}"),))
    google.counts[made.kind] += 1
    return _made(google, asked, made)


def _made(google: Google, asked: Request, made: Any) -> Reply:
    if made.blob is None or asked.method == "HEAD":
        return Reply(made.status, made.headers, made.body, made.content_length)
    if made.content_length > _MOST_BYTES:
        return _violation(google, asked)  # nobody pulls layers here
    return Reply(made.status, made.headers, made.blob.read(made.first, made.last))


def _challenge(google: Google, name: str) -> Reply:
    scope = f',scope="repository:{name}:pull"' if name else ""
    value = f'Bearer realm="{google.url}/v2/token",service="{host_of(google.url)}"'
    return _errors(
        401, "UNAUTHORIZED", "sign in", (("WWW-Authenticate", value + scope),)
    )


def _violation(google: Google, asked: Request) -> Reply:
    google.violations.append(f"{asked.method} {urlsplit(asked.target).path}")
    return _errors(404, "UNSUPPORTED", "not here")


def _errors(status: int, code: str, message: str, more: Fields = ()) -> Reply:
    return json_reply(status, {"errors": [{"code": code, "message": message}]}, more)
