"""What the three hosts of Docker Hub answer, each as strictly as the real one."""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qs

from support.hub_replica.listings import page, repository_entry, tag_entry
from support.hub_replica.state import PASSWORD, USER, Hub, basic
from support.vendor_hosts import Fields, Reply, Request, json_reply
from weighbridge.demo.http.server import answer as registry_answer

PAGE_LENGTH: Final = 10
MOST: Final = 100
SERVICE: Final = "registry.docker.io"
_NAMESPACE: Final = re.compile(r"/v2/namespaces/([^/]+)/repositories")
_TAGS: Final = re.compile(r"/v2/namespaces/([^/]+)/repositories/([^/]+)/tags")
_ONE: Final = re.compile(r"/v2/namespaces/([^/]+)/repositories/([^/]+)")
_REGISTRY: Final = re.compile(r"/v2/(.+)/(manifests|blobs)/([^/]+)")
_SPENT: Final = (
    "You have reached your pull rate limit. You may increase the limit by"
    " authenticating and upgrading: https://www.docker.com/increase-rate-limit"
)


def api(hub: Hub, asked: Request) -> Reply:
    """hub.docker.com."""
    path, _, query = asked.target.partition("?")
    if path == "/v2/auth/token":
        return _sign_in(hub, asked)
    hub.counts["api"] += 1
    if hub.api_left is not None:
        if hub.api_left <= 0:
            return _api_refusal(hub)
        hub.api_left -= 1
    if hub.counts["api"] == hub.forget_after:
        hub.jwts.clear()
        hub.forget_after = None
    if asked.authorization and not hub.is_jwt(asked.authorization):
        hub.counts["api_401"] += 1
        return json_reply(401, {"detail": "Invalid or expired token"})
    found = _TAGS.fullmatch(path)
    is_user = bool(asked.authorization)
    one = _ONE.fullmatch(path)
    if asked.method == "GET" and one is not None and not query:
        return _repository(hub, f"{one[1]}/{one[2]}", is_user=is_user)
    if asked.method != "GET" or (found or _NAMESPACE.fullmatch(path)) is None:
        return _violation(hub, asked, 404)
    if found is not None:
        return _tags(hub, f"{found[1]}/{found[2]}", path, query, is_user=is_user)
    (namespace,) = _NAMESPACE.findall(path)
    return _repositories(hub, namespace, path, query, is_user=is_user)


def token_service(hub: Hub, asked: Request) -> Reply:
    """auth.docker.io: anonymous tokens, and tokens for the user's password."""
    hub.counts["token"] += 1
    path, _, query = asked.target.partition("?")
    said = parse_qs(query)
    scope = said.get("scope", [""])[0].split(":")
    # Who only signs in, as `docker login` does, asks for nothing.
    is_sign_in = "scope" not in said
    if is_sign_in:
        scope = ["", "", ""]
    is_known = is_sign_in or (scope[0] == "repository" and scope[2:] == ["pull"])
    if path != "/token" or said.get("service") != [SERVICE] or not is_known:
        return _violation(hub, asked, 404)
    if asked.authorization not in ("", basic()):
        return json_reply(401, {"details": "incorrect username or password"})
    if not is_sign_in and not hub.is_shown(scope[1], to_user=bool(asked.authorization)):
        scope[1] = ""  # a token is given, and is good for nothing
    token = hub.new_pull_token(scope[1])
    return json_reply(200, {"token": token, "access_token": token, "expires_in": 300})


def registry(hub: Hub, asked: Request) -> Reply:
    """registry-1.docker.io: manifests and blobs, each for a token of its repository."""
    if (asked.method, asked.target) == ("GET", "/v2/"):
        _, _, shown = asked.authorization.partition(" ")
        is_in = shown in hub.pull_tokens
        return json_reply(200, {}) if is_in else _challenge(hub)
    found = _REGISTRY.fullmatch(asked.target)
    if found is None:
        return _violation(hub, asked, 401)
    name, kind, _ = found.groups()
    scheme, _, token = asked.authorization.partition(" ")
    if scheme != "Bearer" or hub.pull_tokens.get(token) != name:
        if scheme not in ("", "Bearer") or token in hub.jwts:
            hub.violations.append(f"another secret than a pull token at {name}")
        return _challenge(hub, name)
    made = registry_answer(hub.content, asked.method, asked.target, asked.headers)
    headers: Fields = made.headers
    if kind == "manifests":
        if made.status == 200 and not _pull(hub, asked.method, name):
            return _errors(429, "TOOMANYREQUESTS", _SPENT, _figures(hub, name))
        headers += _figures(hub, name)
        hub.pulls[name] += made.status == 200 and asked.method == "GET"
    hub.counts[made.kind] += 1
    if made.blob is None or asked.method == "HEAD":
        return Reply(made.status, headers, made.body, made.content_length)
    if made.content_length > 1024 * 1024:
        return _violation(hub, asked, 403)
    return Reply(made.status, headers, made.blob.read(made.first, made.last))


def _sign_in(hub: Hub, asked: Request) -> Reply:
    hub.counts["sign_in"] += 1
    is_json = asked.headers.get("content-type", "") == "application/json"
    if asked.method != "POST" or not is_json or asked.authorization:
        return _violation(hub, asked, 400)
    if json.loads(asked.body) != {"identifier": USER, "secret": PASSWORD}:
        return json_reply(401, {"detail": "Incorrect authentication credentials"})
    return json_reply(200, {"access_token": hub.new_jwt()})


def _repositories(
    hub: Hub, namespace: str, path: str, query: str, *, is_user: bool
) -> Reply:
    prefix = f"{namespace}/"
    names = [
        name
        for name in hub.content.repositories()
        if name.startswith(prefix) and hub.is_shown(name, to_user=is_user)
    ]
    if not names:
        return json_reply(404, {"message": "object not found"})
    return _page(hub, path, query, names, lambda name: repository_entry(hub, name))


def _repository(hub: Hub, name: str, *, is_user: bool) -> Reply:
    hub.counts["repository"] += 1
    if hub.content.tags(name) is None or not hub.is_shown(name, to_user=is_user):
        return json_reply(404, {"message": "object not found"})
    return json_reply(200, repository_entry(hub, name), _api_figures(hub))


def _tags(hub: Hub, name: str, path: str, query: str, *, is_user: bool) -> Reply:
    tags = hub.content.tags(name)
    if tags is None or not hub.is_shown(name, to_user=is_user):
        return json_reply(404, {"message": "httperror 404: object not found"})
    # Newest first, as the real one does by default.
    newest = sorted(tags, key=lambda tag: hub.pushed_at(name, tag), reverse=True)
    return _page(hub, path, query, newest, lambda tag: tag_entry(hub, name, tag))


def _page(
    hub: Hub,
    path: str,
    query: str,
    names: list[str],
    entry: Callable[[str], Mapping[str, object]],
) -> Reply:
    said = parse_qs(query)
    number = int(said.get("page", ["1"])[0])
    length = int(said.get("page_size", [str(PAGE_LENGTH)])[0])
    if not said.keys() <= {"page", "page_size"} or not 1 <= length <= MOST:
        hub.violations.append(f"GET {path}?{query}")
        return json_reply(400, {"message": "invalid page_size"})
    start = (number - 1) * length
    if number < 1 or (start and start >= len(names)):
        return json_reply(404, {"message": "page not found"})
    shown = names[start : start + length]
    base = f"{hub.next_host or hub.api_url}{path}?page_size={length}&page="
    following = f"{base}{number + 1}" if start + length < len(names) else None
    previous = f"{base}{number - 1}" if number > 1 else None
    body = page([*map(entry, shown)], len(names), following, previous)
    if hub.after_page is not None:
        hub.after_page(number)
    return Reply(200, (("Content-Type", "application/json"), *_api_figures(hub)), body)


def _pull(hub: Hub, method: str, name: str) -> bool:
    """Whether this may be given; a GET is a pull, a HEAD is none."""
    if method != "GET" or hub.limit is None or name in hub.unlimited:
        return True
    if hub.left <= 0:
        hub.counts["pull_429"] += 1
        return False
    hub.left -= 1
    return True


def _figures(hub: Hub, name: str) -> Fields:
    if hub.limit is None or name in hub.unlimited:
        return ()
    window = f";w={hub.window_s}"
    return (
        ("ratelimit-limit", f"{hub.limit}{window}"),
        ("ratelimit-remaining", f"{hub.left}{window}"),
        ("docker-ratelimit-source", "127.0.0.1"),
    )


def _api_figures(hub: Hub) -> Fields:
    if hub.api_left is None:
        return ()
    return (
        ("X-RateLimit-Limit", "180"),
        ("X-RateLimit-Remaining", str(hub.api_left)),
        ("X-RateLimit-Reset", str(int(time.time()) + 1)),
    )


def _api_refusal(hub: Hub) -> Reply:
    hub.counts["api_429"] += 1
    again_at = str(int(time.time()) + 1)
    hub.api_left = 100  # its minute is over by then
    if hub.api_refusal == "html":
        html = b"<html><body><h1>429 Too Many Requests</h1></body></html>"
        return Reply(
            429, (("Content-Type", "text/html"), ("Retry-After", again_at)), html
        )
    body = {"detail": "Rate limit exceeded", "error": False}
    return json_reply(429, body, (("X-Retry-After", again_at),))


def _challenge(hub: Hub, name: str | None = None) -> Reply:
    """Of `/v2/` itself without a scope."""
    hub.counts["registry_401"] += 1
    value = f'Bearer realm="{hub.token_url}/token",service="{SERVICE}"'
    if name is not None:
        value += f',scope="repository:{name}:pull"'
    return _errors(401, "UNAUTHORIZED", "sign in", (("WWW-Authenticate", value),))


def _violation(hub: Hub, asked: Request, status: int) -> Reply:
    hub.violations.append(f"{asked.method} {asked.target}")
    return json_reply(status, {"message": "not here"})


def _errors(status: int, code: str, message: str, more: Fields = ()) -> Reply:
    return json_reply(status, {"errors": [{"code": code, "message": message}]}, more)
