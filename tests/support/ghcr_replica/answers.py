"""What the three hosts answer, each as strictly as the real one.

Sources: the API's paths, parameters, shapes and refusals are those of docs.github.com
(rest/packages/packages, rate limits, pagination); that `Link` names `/organizations/ID`
is in github.com/snok/container-retention-policy/issues/33; the registry's challenge,
with a placeholder as its scope, is in public captures of ghcr.io.
"""

import base64
import json
import re
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, unquote

from support.ghcr_replica.schema import faults
from support.ghcr_replica.state import ACCOUNT, ORGANIZATION, TOKEN, GitHub
from support.vendor_hosts import Fields, Reply, Request, json_reply
from weighbridge.demo.http.server import answer as registry_answer

MOST: Final = 100
MOST_ENTRIES: Final = 10_000
SERVICE: Final = "ghcr.io"
PLACEHOLDER: Final = "repository:user/image:pull"
_ROOT: Final = "/api/v3"
_PACKAGES: Final = re.compile(r"/(orgs|users)/([A-Za-z0-9-]+)/packages")
_VERSIONS: Final = re.compile(
    r"/(orgs|users)/([A-Za-z0-9-]+)/packages/container/([A-Za-z0-9._%-]+)/versions"
)
_REGISTRY: Final = re.compile(r"/v2/(.+)/(manifests|blobs|tags)/([^/]+)")
_HEADERS: Final = {
    "accept": "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
}
_KINDS: Final = {ORGANIZATION: "orgs", ACCOUNT: "users"}


def api(github: GitHub, asked: Request) -> Reply:
    """https://HOST/api/v3 of GitHub Enterprise Server."""
    path, _, query = asked.target.partition("?")
    github.counts["api"] += 1
    said = {key: values[-1] for key, values in parse_qs(query).items()}
    path = path.removeprefix(_ROOT)
    found = _PACKAGES.fullmatch(path) or _VERSIONS.fullmatch(path)
    is_ours = asked.target.startswith(f"{_ROOT}/") and asked.method == "GET"
    if not is_ours or found is None or not _is_well_asked(asked):
        return _violation(github, asked, 404)
    if github.left is not None:
        if github.left <= 0:
            github.left = None if github.left < 0 else github.left - 1
            return _limited(github)
        github.left -= 1
    if github.bad_after is not None:
        github.bad_after -= 1
    is_over = github.bad_after is not None and github.bad_after < 0
    if asked.authorization != f"Bearer {TOKEN}" or is_over:
        github.counts["api_401"] += 1
        return _message(401, "Bad credentials")
    if github.token_kind != "classic":
        return _message(400, "Invalid argument.")
    if len(found.groups()) == 2:
        return _packages(github, asked, found[1], found[2].lower(), said)
    name = f"{found[2].lower()}/{unquote(found[3])}"
    return _versions(github, asked, found[1], name, said)


def registry(github: GitHub, asked: Request) -> Reply:
    """ghcr.io: its token server, manifests, lists of tags, and blobs by redirects."""
    path, _, query = asked.target.partition("?")
    if path == "/token":
        return _token(github, asked, parse_qs(query))
    if path == "/v2/":
        github.counts["ping"] += 1
        token = asked.authorization.removeprefix("Bearer ")
        if token in github.pull_tokens:
            return Reply(200, body=b"{}")
        return _challenge(github, PLACEHOLDER)
    found = _REGISTRY.fullmatch(path)
    if found is None:
        return _violation(github, asked, 404)
    name, what, _ = found.groups()
    scheme, _, token = asked.authorization.partition(" ")
    if scheme != "Bearer" or github.pull_tokens.get(token) != name:
        if scheme not in ("", "Bearer") or token == TOKEN:
            github.violations.append(f"another secret than a pull token at {name}")
        return _challenge(github, f"repository:{name}:pull")
    if name in github.hidden:
        return _errors(403, "DENIED", "permission_denied: read_package")
    made = registry_answer(
        github.packages.content, asked.method, asked.target, asked.headers
    )
    github.counts[made.kind] += 1
    if what == "blobs" and made.status < 300:
        location = f"{github.storage_url}{path}?signature=abc"
        return Reply(307, (("Location", location),))
    length = made.content_length
    return Reply(made.status, made.headers, made.body, length)


def storage(github: GitHub, asked: Request) -> Reply:
    """pkg-containers.githubusercontent.com: the signature is all that it wants."""
    if asked.authorization or not asked.target.endswith("?signature=abc"):
        return _violation(github, asked, 400)
    target = asked.target.partition("?")[0]
    made = registry_answer(github.packages.content, asked.method, target, asked.headers)
    if made.blob is None or made.content_length > 1024 * 1024:
        return _violation(github, asked, 403)
    return Reply(made.status, made.headers, made.blob.read(made.first, made.last))


def _is_well_asked(asked: Request) -> bool:
    is_named = bool(asked.headers.get("user-agent"))
    return is_named and all(asked.headers.get(k) == v for k, v in _HEADERS.items())


def _packages(
    github: GitHub, asked: Request, kind: str, owner: str, said: Mapping[str, str]
) -> Reply:
    if said.get("package_type") != "container":
        return _violation(github, asked, 422)
    if _KINDS.get(owner) != kind:
        return _message(404, "Not Found")
    names = [
        name
        for name in github.packages.repositories()
        if name.partition("/")[0] == owner and name not in github.hidden
    ]
    rows = [_package(github, name) for name in names]
    return _page(github, asked, rows, said, {"package_type"})


def _package(github: GitHub, repository: str) -> object:
    owner, _, name = repository.partition("/")
    return {
        "id": 1,
        "name": name,
        "package_type": "container",
        "owner": {"login": owner.capitalize(), "id": 9919, "type": "Organization"},
        "version_count": len(github.packages.versions(repository)),
        "visibility": "private",
        "created_at": "2026-02-03T04:05:06Z",
        "updated_at": "2026-02-03T04:05:06Z",
        "html_url": f"https://github.invalid/{name}",
    }


def _versions(
    github: GitHub, asked: Request, kind: str, name: str, said: Mapping[str, str]
) -> Reply:
    owner, _, package = name.partition("/")
    if "/" in package and "%2F" not in asked.target:
        return _violation(github, asked, 404)
    is_there = name in github.packages.repositories() and name not in github.hidden
    if _KINDS.get(owner) != kind or not is_there:
        return _message(404, "Package not found.")
    rows = [row.as_json(name) for row in github.packages.versions(name)]
    return _page(github, asked, rows, said, {"state"}, is_of_versions=True)


def _page(
    github: GitHub,
    asked: Request,
    rows: list[dict[str, object]] | list[object],
    said: Mapping[str, str],
    others: set[str],
    *,
    is_of_versions: bool = False,
) -> Reply:
    number, length = int(said.get("page", "1")), int(said.get("per_page", "30"))
    is_known = said.keys() <= {"page", "per_page"} | others
    is_known = is_known and said.get("state", "active") == "active"
    if not is_known or number < 1 or not 1 <= length <= MOST:
        return _violation(github, asked, 422)
    if number * length > MOST_ENTRIES:
        github.violations.append(f"more than 10,000 entries: {asked.target}")
        return Reply(400)
    start = (number - 1) * length
    shown: object = [*rows[start : start + length]]
    github.violations += faults("versions" if is_of_versions else "packages", shown)
    if is_of_versions and github.rows is not None:
        shown = github.rows([*rows[start : start + length]])
    last = -(-len(rows) // length)
    fields: Fields = (*_figures(github), *_links(github, asked, said, number, last))
    if github.sso:
        fields = (*fields, ("X-GitHub-SSO", github.sso))
    reply = json_reply(200, shown, fields)
    if is_of_versions and github.after_page is not None:
        github.after_page(number)
    return reply


def _links(
    github: GitHub, asked: Request, said: Mapping[str, str], number: int, last: int
) -> Fields:
    path = asked.target.partition("?")[0].removeprefix(_ROOT)
    moved = re.sub(r"^/orgs/[^/]+", "/organizations/9919", path)
    host = github.next_host or github.api_url
    base = f"{host}{_ROOT}{moved}?per_page={said['per_page']}"
    pages = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
    if number <= 1:
        del pages["prev"], pages["first"]
    if number >= last:
        del pages["next"], pages["last"]
    value = ", ".join(f'<{base}&page={n}>; rel="{rel}"' for rel, n in pages.items())
    return (("Link", value),) if value else ()


def _token(github: GitHub, asked: Request, said: Mapping[str, list[str]]) -> Reply:
    github.counts["token"] += 1
    scope = said.get("scope", [""])
    kind, _, rest = scope[0].partition(":")
    name, _, actions = rest.rpartition(":")
    is_known = kind == "repository" and actions == "pull" and len(scope) == 1
    if scope == [""] and asked.authorization:
        is_known = True  # as `docker login` asks
    if said.get("service") != [SERVICE] or scope == [PLACEHOLDER] or not is_known:
        return _violation(github, asked, 404)
    if asked.authorization and not _has_token(asked.authorization):
        return _errors(403, "DENIED", "denied")
    reply = {"token": github.new_pull_token(name)}
    github.violations += faults("token", reply)
    return json_reply(200, reply)


def _has_token(authorization: str) -> bool:
    """Basic with any user; the token as Bearer is refused."""
    scheme, _, pair = authorization.partition(" ")
    if scheme != "Basic":
        return False
    return base64.b64decode(pair).decode().partition(":")[2] == TOKEN


def _challenge(github: GitHub, scope: str) -> Reply:
    github.counts["registry_401"] += 1
    realm = f"{github.registry_url}/token"
    value = f'Bearer realm="{realm}",service="{SERVICE}",scope="{scope}"'
    return _errors(
        401, "UNAUTHORIZED", "authentication required", (("WWW-Authenticate", value),)
    )


def _figures(github: GitHub, left: int | None = None) -> Fields:
    shown = left if left is not None else 4_000 if github.left is None else github.left
    return (
        ("X-RateLimit-Limit", "5000"),
        ("X-RateLimit-Remaining", str(max(0, shown))),
        ("X-RateLimit-Reset", str(int(time.time()) + 1)),
        ("X-RateLimit-Resource", "core"),
    )


def _limited(github: GitHub) -> Reply:
    github.counts["api_limited"] += 1
    second = "You have exceeded a secondary rate limit. Please wait a few minutes."
    if github.refusal == "primary":
        words = "API rate limit exceeded for user ID 7."
        return _message(403, words, _figures(github, 0))
    if github.refusal == "secondary without a time":
        return _message(403, second, _figures(github, 4_000))
    status = 429 if github.refusal == "429" else 403
    return _message(status, second, (*_figures(github, 4_000), ("Retry-After", "1")))


def _violation(github: GitHub, asked: Request, status: int) -> Reply:
    github.violations.append(f"{asked.method} {asked.target}")
    return _message(status, "not here")


def _message(status: int, words: str, more: Fields = ()) -> Reply:
    body = {"message": words, "documentation_url": "https://docs.invalid/rest"}
    body |= {"status": str(status)}
    if misfit := faults("error", body):
        raise ValueError(misfit)
    return json_reply(status, body, more)


def _errors(status: int, code: str, message: str, more: Fields = ()) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, (("Content-Type", "application/json"), *more), body)
