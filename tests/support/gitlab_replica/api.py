"""What GitLab itself answers, as strictly as the real one."""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from support.answer_shapes import Member, misfits, misfits_of_each
from support.gitlab_replica.schema import DATA, REPOSITORY, TAG, TOKEN
from support.gitlab_replica.state import GitLab, basic, project_of
from support.vendor_hosts import Fields, Reply, Request, json_reply

SERVICE: Final = "container_registry"
MOST: Final = 100
FAILED_SIGN_INS: Final = 30
_LISTED: Final = re.compile(r"/api/v4/(groups|projects)/([^/]+)/registry/repositories")
_TAGS: Final = re.compile(
    r"/api/v4/projects/(\d+)/registry/repositories/(\d+)/tags", re.ASCII
)
_FIELDS: Final = {
    "containerRepository",
    *("tagsCount", "tags", "nodes", "name", "digest", "mediaType", "totalSize"),
    *("createdAt", "pageInfo", "hasNextPage", "endCursor"),
}
_WORD: Final = re.compile(r"[A-Za-z]+")
_QUERY: Final = re.compile(
    r"query\(\$id: ContainerRepositoryID!, \$after: String\) \{(.*)\}", re.DOTALL
)


def api(lab: GitLab, asked: Request) -> Reply:
    """gitlab.com, or whoever has its own."""
    path, _, query = asked.target.partition("?")
    if path == "/jwt/auth":
        return _sign_in(lab, asked, query)
    if asked.authorization:
        lab.violations.append(f"Authorization at {path}")
    token = asked.headers.get("private-token")
    refusal = _refusal(lab, token)
    if refusal is not None:
        return refusal
    sees = token is not None or lab.public
    if path == "/api/graphql":
        return _graph(lab, asked, sees=sees)
    if asked.method != "GET":
        return _violation(lab, asked)
    if found := _LISTED.fullmatch(path):
        return _repositories(lab, asked, found[1], unquote(found[2]), sees=sees)
    if found := _TAGS.fullmatch(path):
        return _rest_tags(lab, asked, int(found[1]), int(found[2]), sees=sees)
    return _violation(lab, asked)


def _refusal(lab: GitLab, token: str | None) -> Reply | None:
    if token is not None:
        lab.shown.add(token)
    if lab.api_left is not None:
        if lab.api_left <= 0:
            return _too_many(lab)
        lab.api_left -= 1
    if lab.forget_after is not None:
        lab.forget_after -= 1
        if lab.forget_after < 0:
            lab.tokens.clear()
    if token is None or token in lab.tokens:
        return None
    lab.counts["api_401"] += 1
    return json_reply(401, {"message": "401 Unauthorized"})


def _repositories(
    lab: GitLab, asked: Request, whose: str, path: str, *, sees: bool
) -> Reply:
    lab.counts["repositories"] += 1
    names = _repositories_of(lab, whose, path) if sees else None
    if names is None:
        word = "Group" if whose == "groups" else "Project"
        return json_reply(404, {"message": f"404 {word} Not Found"})
    return _rest_page(
        lab, asked, names, lambda name: _repository(lab, name), REPOSITORY
    )


def _rest_tags(
    lab: GitLab, asked: Request, project: int, number: int, *, sees: bool
) -> Reply:
    lab.counts["rest_tags"] += 1
    name = lab.repository(number) if sees else None
    if name is None or lab.project_number(name) != project:
        return json_reply(404, {"message": "404 Not found"})
    tags = list(lab.content.tags(name) or ())
    return _rest_page(
        lab,
        asked,
        tags,
        lambda tag: _tag(name, tag),
        TAG,
        is_keyset=not lab.has_numbers,
    )


def _sign_in(lab: GitLab, asked: Request, query: str) -> Reply:
    """app/controllers/jwt_controller.rb"""
    lab.counts["token"] += 1
    said = parse_qs(query)
    if asked.method != "GET" or said.get("service") != [SERVICE]:
        return _violation(lab, asked)
    if lab.counts["refused_sign_in"] >= FAILED_SIGN_INS:
        return Reply(403, (("Content-Type", "text/plain"),), b"Forbidden\n")
    if asked.authorization not in ("", basic()):
        lab.counts["refused_sign_in"] += 1
        return _errors(401, "UNAUTHORIZED", "HTTP Basic: Access denied.")
    scope = said.get("scope", [""])[0]
    if not scope and not asked.authorization:
        return _errors(403, "DENIED", "access forbidden")
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    is_shown = bool(asked.authorization) or lab.public
    if kind != "repository" or actions != "pull" or name in lab.unreadable:
        name = ""  # A token is given, and is good for nothing.
    token = lab.new_pull_token(name if is_shown else "")
    answer = {"token": token}
    lab.violations += misfits(answer, TOKEN)
    return json_reply(200, answer)


def _repositories_of(lab: GitLab, whose: str, path: str) -> list[str] | None:
    path = path.lower()
    if lab.is_hidden(path):
        return None
    every = lab.content.before.repositories()
    if whose == "projects":
        if path not in map(project_of, every):
            return None
        return [n for n in lab.repositories if project_of(n) == path]
    if not any(project_of(name).startswith(f"{path}/") for name in every):
        return None
    return [n for n in lab.repositories if n.startswith(f"{path}/")]


def _rest_page(
    lab: GitLab,
    asked: Request,
    names: list[str],
    entry: Callable[[str], dict[str, object]],
    schema: Mapping[str, Member],
    *,
    is_keyset: bool = False,
) -> Reply:
    path, _, query = asked.target.partition("?")
    said = parse_qs(query)
    number = int(said.get("page", ["1"])[0])
    length = int(said.get("per_page", ["20"])[0])
    allowed = {"per_page", "last"} if is_keyset else {"per_page", "page"}
    if not said.keys() <= allowed or not 1 <= length <= MOST or number < 1:
        return _violation(lab, asked, 400)
    if is_keyset:
        rest = [name for name in names if name > said.get("last", [""])[0]]
        shown, has_more = rest[:length], len(rest) > length
        link = f"{lab.api_url}{path}?per_page={length}&last={shown[-1]}"
        head: Fields = (("Link", f'<{link}>; rel="next"'),) if has_more else ()
    else:
        start = (number - 1) * length
        shown = names[start : start + length]
        has_more = start + length < len(names)
        head = (
            ("X-Total", str(len(names))),
            ("X-Per-Page", str(length)),
            ("X-Page", str(number)),
            ("X-Next-Page", str(number + 1) if has_more else ""),
        )
    of, entries = path.rpartition("/")[2], list(map(entry, shown))
    lab.violations += misfits_of_each(entries, schema)
    return _page(lab, of, entries, head)


def _page(lab: GitLab, of: str, value: object, head: Fields) -> Reply:
    made = json_reply(200, value, head)
    return Reply(200, made.headers, lab.page_body(of, made.body))


def _repository(lab: GitLab, name: str) -> dict[str, object]:
    project = project_of(name)
    return {
        "id": lab.number(name),
        "name": name.removeprefix(project).lstrip("/"),
        "path": name,
        "project_id": lab.project_number(name),
        "location": f"registry.lab.example/{name}",
        "created_at": "2025-03-04T05:06:07.008Z",
        "cleanup_policy_started_at": None,
        "status": None,
    }


def _tag(repository: str, tag: str) -> dict[str, object]:
    path = f"{repository}:{tag}"
    return {"name": tag, "path": path, "location": f"registry.lab.example/{path}"}


def _graph(lab: GitLab, asked: Request, *, sees: bool) -> Reply:
    lab.counts["graphql"] += 1
    if not lab.has_graph:
        html = b"<!DOCTYPE html><html><body>404</body></html>"
        return Reply(404, (("Content-Type", "text/html"),), html)
    is_json = asked.headers.get("content-type", "") == "application/json"
    if asked.method != "POST" or not is_json:
        return _violation(lab, asked, 400)
    sent = json.loads(asked.body)
    found = _QUERY.fullmatch(sent["query"].strip())
    if found is None:
        return _violation(lab, asked, 400)
    arguments = re.search(r"tags\(first: (\d+), after: \$after\)", found[1])
    words = set(_WORD.findall(re.sub(r"\([^)]*\)", "", found[1])))
    if arguments is None or not words <= _FIELDS:
        errors = [{"message": f"Field {words - _FIELDS} doesn't exist"}]
        return json_reply(200, {"errors": errors})
    number = sent["variables"]["id"].removeprefix("gid://gitlab/ContainerRepository/")
    repository = lab.repository(int(number)) if sees else None
    if repository is None:
        return json_reply(200, {"data": {"containerRepository": None}})
    after = sent["variables"].get("after")
    tags = _connection(lab, repository, int(arguments[1]), after)
    count = len(lab.content.tags(repository) or ())
    data = {"containerRepository": {"tagsCount": count, "tags": tags}}
    lab.violations += misfits(data, DATA)
    return _page(lab, "tags", {"data": data}, ())


def _connection(
    lab: GitLab, repository: str, first: int, after: str | None
) -> dict[str, Any]:
    """With a database, pages of what the registry lists, of which no more than
    `max_page_size` are shown; else places in the list of all, by their numbers."""
    names = list(lab.content.tags(repository) or ())
    if lab.has_database:
        rest = [name for name in names if after is None or name > after]
        read, has_more = rest[:first], len(rest) > first
        cursor = read[-1] if has_more else None
        shown = read[: lab.graph_page]
    else:
        start = 0 if after is None else int(base64.b64decode(after))
        shown = names[start : start + min(first, lab.graph_page)]
        end = start + len(shown)
        has_more = end < len(names)
        cursor = base64.b64encode(str(end).encode()).decode() if shown else None
    nodes = [{"name": n, "digest": lab.digest(repository, n)} for n in shown]
    return {
        "nodes": nodes,
        "pageInfo": {"hasNextPage": has_more, "endCursor": cursor},
    }


def _too_many(lab: GitLab) -> Reply:
    """lib/gitlab/rack_attack.rb"""
    lab.counts["api_429"] += 1
    lab.api_left = 1_000  # its minute is over by then
    head = (
        ("Content-Type", "text/plain"),
        ("RateLimit-Limit", "60"),
        ("RateLimit-Observed", "61"),
        ("RateLimit-Remaining", "0"),
        ("RateLimit-Reset", str(int(time.time()) + 1)),
        ("Retry-After", "1"),
    )
    return Reply(429, head, b"Retry later\n")


def _violation(lab: GitLab, asked: Request, status: int = 404) -> Reply:
    lab.violations.append(f"{asked.method} {asked.target}")
    return json_reply(status, {"error": "404 Not Found"})


def _errors(status: int, code: str, message: str) -> Reply:
    return json_reply(status, {"errors": [{"code": code, "message": message}]})
