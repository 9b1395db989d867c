"""What `/api/v1` of Quay answers: endpoints/api/{__init__,repository,tag}.py."""

import base64
import json
import re
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from support.answer_shapes import Member, misfits
from support.quay_replica.listings import (
    repository_entry,
    repository_page,
    tag_entry,
)
from support.quay_replica.schema import REPOSITORIES, REPOSITORY_PAGE, TAGS
from support.quay_replica.state import API_TOKEN, Quay
from support.vendor_hosts import Reply, Request, json_reply

_MOST: Final = 100
_TAGS: Final = re.compile(r"/api/v1/repository/([^/]+/.+)/tag/")
_ONE: Final = re.compile(r"/api/v1/repository/([^/]+/.+[^/])")
_PAGE_KEYS: Final = {"includeStats": "true", "includeTags": "false"}
_LIST_KEYS: Final = frozenset(
    (
        *("namespace", "public", "starred", "next_page", "repo_kind"),
        *("last_modified", "popularity"),
    )
)
_TAG_KEYS: Final = frozenset(("limit", "page", "onlyActiveTags"))


def api(quay: Quay, asked: Request) -> Reply:
    """A token that it does not know is no token: nobody asks then."""
    quay.counts["api"] += 1
    if quay.refuses_api:
        quay.refuses_api -= 1
        quay.counts["api_429"] += 1
        html = b"<html><head><title>429 Too Many Requests</title></head></html>"
        return Reply(429, (("Content-Type", "text/html"),), html)
    if asked.authorization not in ("", f"Bearer {API_TOKEN}"):
        scheme, _, secret = asked.authorization.partition(" ")
        if scheme != "Bearer" or secret in quay.pull_tokens:
            quay.violations.append(f"a secret of /v2 at {asked.target}")
    is_user = asked.authorization == f"Bearer {API_TOKEN}" and quay.token_ends != 0
    if quay.token_ends:
        quay.token_ends -= 1
    path, _, query = asked.target.partition("?")
    said = {key: values[0] for key, values in parse_qs(query).items()}
    if asked.method == "GET" and path == "/api/v1/repository":
        return _repositories(quay, asked, said, is_user=is_user)
    found = _TAGS.fullmatch(path)
    if asked.method == "GET" and found is not None:
        return _tags(quay, asked, found[1], said, is_user=is_user)
    found = _ONE.fullmatch(path)
    if asked.method == "GET" and found is not None:
        return _repository(quay, asked, found[1], said, is_user=is_user)
    return _violation(quay, asked)


def _repositories(
    quay: Quay, asked: Request, said: dict[str, str], *, is_user: bool
) -> Reply:
    if not said.keys() <= _LIST_KEYS:
        return _violation(quay, asked)
    if not said.keys() & {"namespace", "public", "starred"}:
        quay.violations.append(f"a listing of everything: {asked.target}")
        return _problem(400, "invalid_request", "a filter is required")
    if "starred" in said:
        quay.counts["token_checks"] += 1
        if is_user:
            return json_reply(200, {"repositories": []})
        return json_reply(400, {"message": "The browser sent a bad request"})
    if quay.repository_body is not None:
        return json_reply(200, quay.repository_body)  # as no Quay has it
    namespace = said.get("namespace")
    names = [
        name
        for name in quay.content.repositories()
        if namespace in (None, name.partition("/")[0])
        and (is_user or "public" in said)
        and quay.is_shown(name, to_user=is_user)
    ]
    if namespace is not None:  # not in pages, however many they are
        entries = _entries(quay, names, said)
        return _good(quay, {"repositories": entries}, REPOSITORIES)
    start = _start(said.get("next_page"))
    end = start + quay.list_length
    entries = _entries(quay, names[start:end], said)
    body: dict[str, object] = {"repositories": entries}
    if end < len(names):
        body["next_page"] = _opaque(end)
    return _good(quay, body, REPOSITORIES)


def _good(quay: Quay, body: object, schema: Mapping[str, Member]) -> Reply:
    quay.violations += misfits(body, schema)
    return json_reply(200, body)


def _entries(
    quay: Quay, names: list[str], said: dict[str, str]
) -> list[dict[str, object]]:
    is_wanted = said.get("popularity") == "true"
    return [repository_entry(quay, name, with_popularity=is_wanted) for name in names]


def _repository(
    quay: Quay, asked: Request, name: str, said: dict[str, str], *, is_user: bool
) -> Reply:
    if said != _PAGE_KEYS:
        return _violation(quay, asked)
    quay.counts["repository"] += 1
    if (refusal := _refusal(quay, name, is_user=is_user)) is not None:
        return refusal
    return _good(quay, repository_page(quay, name), REPOSITORY_PAGE)


def _opaque(start: int) -> str:
    """Another one each time, as what is encrypted is."""
    raw = json.dumps([start, secrets.token_hex(4), "+/?&="]).encode()
    return "gAAAA" + base64.b64encode(raw).decode()


def _start(token: str | None) -> int:
    if token is None:
        return 0
    start: int = json.loads(base64.b64decode(token.removeprefix("gAAAA")))[0]
    return start


def _tags(
    quay: Quay, asked: Request, name: str, said: dict[str, str], *, is_user: bool
) -> Reply:
    if not said.keys() <= _TAG_KEYS or said.get("onlyActiveTags") != "true":
        return _violation(quay, asked)
    if (refusal := _refusal(quay, name, is_user=is_user)) is not None:
        quay.counts["api_refused"] += refusal.status != 404
        return refusal
    number, limit = int(said.get("page", "1")), int(said.get("limit", "50"))
    if number < 1 or not 1 <= limit <= _MOST:
        quay.violations.append(f"a page that is cut: {asked.target}")
    start = limit * (number - 1)
    tags = quay.tags(name)
    body = {
        "tags": [tag_entry(quay, name, tag) for tag in tags[start : start + limit]],
        "page": number,
        "has_additional": len(tags) > start + limit,
    }
    if quay.after_page is not None:
        quay.after_page(number)
    if number in quay.page_bodies:
        return json_reply(200, quay.page_bodies[number])  # as no Quay has it
    return _good(quay, body, TAGS)


def _refusal(quay: Quay, name: str, *, is_user: bool) -> Reply | None:
    is_there = name not in quay.lost and quay.content.tags(name) is not None
    if is_there and quay.is_shown(name, to_user=is_user):
        return None
    if is_user and quay.is_admin and name not in quay.unread:
        return _problem(404, "not_found", "Not Found")
    if is_user:
        return _problem(403, "insufficient_scope", "Unauthorized")
    return _problem(401, "invalid_token", "Requires authentication")


def _problem(status: int, error: str, detail: str) -> Reply:
    """endpoints/exception.py."""
    body = {
        "detail": detail,
        "error_message": detail,
        "error_type": error,
        "title": error,
        "type": f"http://quay.example/api/v1/error/{error}",
        "status": status,
    }
    return json_reply(status, body)


def _violation(quay: Quay, asked: Request) -> Reply:
    quay.violations.append(f"{asked.method} {asked.target}")
    return json_reply(404, {"message": "not here"})
