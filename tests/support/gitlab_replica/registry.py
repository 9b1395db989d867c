"""What GitLab's registry answers, as strictly as the real one."""

import json
import re
from typing import Final
from urllib.parse import parse_qs

from support.answer_shapes import misfits_of_each
from support.gitlab_replica.api import SERVICE
from support.gitlab_replica.schema import OWN_TAG
from support.gitlab_replica.state import GitLab
from support.vendor_hosts import Fields, Reply, Request, json_reply
from weighbridge.demo.http.server import answer as registry_answer

MOST: Final = 1_000
_OWN: Final = re.compile(r"/gitlab/v1/repositories/(.+)/tags/list/")
_REPOSITORY: Final = re.compile(r"/v2/(.+)/(?:(?:manifests|blobs)/[^/]+|tags/list)")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
_VERSION: Final = (("Gitlab-Container-Registry-Version", "4.19.0-gitlab"),)


def registry(lab: GitLab, asked: Request) -> Reply:
    """registry.gitlab.com, or whoever has its own."""
    path, _, query = asked.target.partition("?")
    if "private-token" in asked.headers:
        lab.violations.append("the API's token at the registry")
    if lab.is_behind and not path.startswith("/v2/"):
        html = b"<html><body>404 page not found</body></html>"
        return Reply(404, (("Content-Type", "text/html"),), html)
    if path in ("/v2/", "/v2/_catalog"):
        scope = "registry:catalog:*" if path != "/v2/" else ""
        token = asked.authorization.removeprefix("Bearer ")
        if token not in lab.pull_tokens or scope:
            return _challenge(lab, asked, scope)
        return json_reply(200, {}, _VERSION)
    found = _OWN.fullmatch(path) or _REPOSITORY.fullmatch(path)
    if found is None or asked.method not in ("GET", "HEAD"):
        lab.violations.append(f"{asked.method} {asked.target}")
        return _errors(404, "UNSUPPORTED", "not here")
    name = found[1]
    scheme, _, token = asked.authorization.partition(" ")
    if scheme not in ("", "Bearer"):
        lab.violations.append(f"another secret than a token at {name}")
    if not token or lab.pull_tokens.get(token) != name:
        return _challenge(lab, asked, f"repository:{name}:pull")
    if lab.registry_left is not None:
        if lab.registry_left <= 0:
            lab.registry_left = None
            lab.counts["registry_429"] += 1
            return _errors(429, "TOOMANYREQUESTS", "slow", (("Retry-After", "1"),))
        lab.registry_left -= 1
    if path.startswith("/gitlab/"):
        return _own_tags(lab, name, query)
    return _document(lab, asked, name)


def _own_tags(lab: GitLab, name: str, query: str) -> Reply:
    lab.counts["own_tags"] += 1
    if not lab.has_database:
        return Reply(404, _VERSION)
    said = parse_qs(query)
    length, last = said.get("n", ["100"])[0], said.get("last", [""])[0]
    is_length = length.isdigit() and 1 <= int(length) <= MOST
    if not said.keys() <= {"n", "last"} or not is_length:
        lab.violations.append(f"?{query}")
        return _errors(400, "INVALID_QUERY_PARAMETER_VALUE", "the value is invalid")
    if last and _TAG.fullmatch(last) is None:
        return _errors(400, "INVALID_QUERY_PARAMETER_VALUE", "the value is invalid")
    tags = lab.content.tags(name)
    if tags is None:
        return _errors(404, "NAME_UNKNOWN", "repository name not known to registry")
    rest = [tag for tag in tags if tag > last]
    shown = rest[: int(length)]
    head: Fields = (("Content-Type", "application/json"), *_VERSION)
    if len(shown) < len(rest):
        base = f"{lab.registry_url}/gitlab/v1/repositories/{name}/tags/list/"
        following = lab.own_link or f"{base}?n={length}&last={shown[-1]}"
        links = (
            [f'<{base}?n={length}&before={shown[0]}>; rel="previous"'] if last else []
        )
        head += (("Link", ", ".join([*links, f'<{following}>; rel="next"'])),)
    entries = [_tag(lab, name, tag) for tag in shown]
    lab.violations += misfits_of_each(entries, OWN_TAG)
    body = json.dumps(entries).encode()
    return Reply(200, head, lab.page_body("tags", body))


def _tag(lab: GitLab, name: str, tag: str) -> dict[str, object]:
    served = lab.content.manifest(name, tag)
    if served is None:
        raise ValueError(f"{name}:{tag} names nothing")
    return {
        "name": tag,
        "digest": lab.digest(name, tag) or served.digest,
        "media_type": served.media_type,
        "size_bytes": 0,
        "created_at": "2026-01-02T03:04:05.006Z",
        "published_at": "2026-01-02T03:04:05.006Z",
    }


def _document(lab: GitLab, asked: Request, name: str) -> Reply:
    if (name, asked.target.rpartition("/")[2]) in lab.broken:
        lab.counts[f"{asked.method.lower()}_manifest"] += 1
        return _errors(404, "MANIFEST_UNKNOWN", "manifest unknown")
    made = registry_answer(lab.content, asked.method, asked.target, asked.headers)
    lab.counts[made.kind] += 1
    if made.blob is None or asked.method == "HEAD":
        return Reply(made.status, made.headers, made.body, made.content_length)
    return Reply(made.status, made.headers, made.blob.read(made.first, made.last))


def _challenge(lab: GitLab, asked: Request, scope: str) -> Reply:
    lab.counts["registry_401"] += 1
    value = f'Bearer realm="{lab.api_url}/jwt/auth",service="{SERVICE}"'
    if scope:
        value += f',scope="{scope}"'
    if asked.authorization:
        value += ',error="insufficient_scope"'
    head = (("WWW-Authenticate", value),)
    return _errors(401, "UNAUTHORIZED", "authentication required", head)


def _errors(status: int, code: str, message: str, more: Fields = ()) -> Reply:
    return json_reply(status, {"errors": [{"code": code, "message": message}]}, more)
