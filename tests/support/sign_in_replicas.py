"""Strict registries of four vendors on loopback: their sign-in and their `/v2` alone.

Each answers as the vendor's documentation says, counts requests by kind, and notes what
no client may ask. `azure`, `nexus`, `artifactory` and `zot` make one.
"""

import base64
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from support.vendor_hosts import (
    Fields,
    Reply,
    Request,
    host_of,
    json_reply,
    vendor_host,
)
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.http.server import answer as registry_answer

USER: Final = "crawler"
PASSWORD: Final = "correct horse"
NO_USER: Final = "00000000-0000-0000-0000-000000000000"
REFRESH_TOKEN: Final = "refresh.correct-battery"
TENANT: Final = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CATALOG: Final = "registry:catalog:*"
_SCOPE: Final = re.compile(r"repository:[a-z0-9_./-]+:pull|registry:catalog:\*")
_PATH: Final = re.compile(
    r"/v2/(?:_catalog|(.+)/(?:tags/list|manifests/[^/]+|blobs/[^/]+))?"
)
_STORED: Final = re.compile(r"/blob/(.+)/(sha256:[0-9a-f]{64})\?sig=1")


@dataclass(slots=True)
class SignInReplica:
    """One registry.

    token_path:    of its token server; "" where it wants Basic
    has_scopes:    a token holds for what was asked for, and nothing else
    takes_post:    whether the token server knows a refresh token
    post_refusal:  what it answers to POST otherwise
    pages:         entries of a page of the catalog and of tags; 0: all, n is ignored
    link_end:      what stands at the end of the address of a next page
    odd_tags:      entries of a list of tags that are no tags
    stores_away:   blobs are at another host
    has_ended:     credentials that were good are refused from now on
    tokens_end_in: requests before tokens in use are refused, None: never
    entra_tokens:  that it takes for a refresh token; Azure alone does
    refresh_tokens: that it has given
    counts:        requests by kind
    violations:    what no client of the real one may do
    """

    content: RegistryContent
    token_path: str = ""
    has_scopes: bool = False
    takes_post: bool = False
    post_refusal: int = 404
    pages: tuple[int, int] = (0, 0)
    link_end: str = ""
    odd_tags: tuple[object, ...] = ()
    stores_away: bool = False
    realm_away: bool = False
    has_ended: bool = False
    tokens_end_in: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    entra_tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    url: str = ""
    realm_url: str = ""
    storage_url: str = ""

    def take_counts(self) -> dict[str, int]:
        """Since the last time."""
        counted = dict(self.counts)
        self.counts.clear()
        return counted


def azure(content: RegistryContent) -> SignInReplica:
    """Azure Container Registry: tokens of /oauth2/token without a word of how long they
    hold, pages with `orderby`, blobs in Azure's storage."""
    return SignInReplica(
        content,
        "/oauth2/token",
        has_scopes=True,
        takes_post=True,
        pages=(2, 100),
        link_end="&orderby=",
        stores_away=True,
    )


def nexus(content: RegistryContent, *, has_tokens: bool = False) -> SignInReplica:
    """Sonatype Nexus 3; has_tokens: its Docker Bearer Token Realm is active."""
    path = "/v2/token" if has_tokens else ""
    return SignInReplica(content, path, odd_tags=(None,))


def artifactory(content: RegistryContent, *, has_tokens: bool = True) -> SignInReplica:
    """JFrog Artifactory: its token server refuses POST by 401."""
    path = "/v2/token" if has_tokens else ""
    digest = "sha256:" + "5" * 64
    return SignInReplica(content, path, post_refusal=401, odd_tags=(digest,))


def zot(content: RegistryContent, *, has_tokens: bool = False) -> SignInReplica:
    """zot; has_tokens: with a token server of the user's own, on another host."""
    path = "/auth/token" if has_tokens else ""
    return SignInReplica(
        content, path, has_scopes=True, pages=(3, 50), realm_away=has_tokens
    )


@contextmanager
def sign_in_replica(replica: SignInReplica) -> Iterator[SignInReplica]:
    """Serve it; its URLs are known inside the block. Nothing that the real one forbids
    may have been asked."""
    with ExitStack() as stack:
        replica.url = stack.enter_context(vendor_host(partial(_registry, replica)))
        replica.realm_url = replica.url
        if replica.realm_away:
            served = vendor_host(partial(_token_server, replica))
            replica.realm_url = stack.enter_context(served)
        if replica.stores_away:
            served = vendor_host(partial(_storage, replica))
            replica.storage_url = stack.enter_context(served)
        yield replica
    assert replica.violations == []


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _token_server(replica: SignInReplica, asked: Request) -> Reply:
    path, _, query = asked.target.partition("?")
    if path != replica.token_path:
        return _violation(replica, asked)
    if asked.method == "POST":
        return _post_token(replica, asked, query)
    replica.counts["token_get"] += 1
    said = parse_qs(query, keep_blank_values=True)
    scope = _scope(replica, said)
    if scope is None or not said.keys() <= {"service", "scope"}:
        return _violation(replica, asked)
    users = {_basic(USER, PASSWORD)}
    if not replica.takes_post:
        users.add(_basic(NO_USER, REFRESH_TOKEN))
    if asked.authorization not in users or replica.has_ended:
        return _unauthorized()
    return _token(replica, scope)


def _post_token(replica: SignInReplica, asked: Request, query: str) -> Reply:
    replica.counts["token_post"] += 1
    form = parse_qs(asked.body.decode(), keep_blank_values=True)
    scope = _scope(replica, form)
    kind = asked.headers.get("content-type")
    keys = {"grant_type", "client_id", "service", "scope", "refresh_token"}
    is_good = kind == "application/x-www-form-urlencoded"
    is_good = is_good and form.keys() | {"scope"} == keys
    if not is_good or query or asked.authorization or scope is None:
        return _violation(replica, asked)
    if not replica.takes_post:
        return Reply(replica.post_refusal)
    if form["grant_type"] != ["refresh_token"]:
        return _violation(replica, asked)
    known = {REFRESH_TOKEN, *replica.refresh_tokens}
    if form["refresh_token"][0] not in known or replica.has_ended:
        return _unauthorized()
    return _token(replica, scope)


def _exchange(replica: SignInReplica, asked: Request) -> Reply:
    """Azure's, of a token of Entra (Azure/acr, docs/AAD-OAuth.md)."""
    replica.counts["exchange"] += 1
    form = parse_qs(asked.body.decode(), keep_blank_values=True)
    keys = {"grant_type", "service", "tenant", "access_token"}
    is_good = form.keys() == keys and form["grant_type"] == ["access_token"]
    if not is_good or asked.authorization or asked.method != "POST":
        return _violation(replica, asked)
    if form["service"] != [host_of(replica.url)] or form["tenant"] != [TENANT]:
        return _violation(replica, asked)
    if form["access_token"][0] not in replica.entra_tokens:
        return _unauthorized()
    replica.refresh_tokens.add(token := f"refresh.c4nary.{secrets.token_urlsafe(12)}")
    return json_reply(200, {"refresh_token": token})


def _scope(replica: SignInReplica, said: dict[str, list[str]]) -> str | None:
    """What is asked for; None where it, or the service, is none of this registry. Who
    only signs in asks for nothing, as `docker login` does: that token opens `/v2/`."""
    scopes = said.get("scope", [])
    if said.get("service") != [host_of(replica.url)] or len(scopes) > 1:
        return None
    if not scopes:
        return ""
    return scopes[0] if _SCOPE.fullmatch(scopes[0]) else None


def _token(replica: SignInReplica, scope: str) -> Reply:
    token = f"access.{secrets.token_urlsafe(12)}"
    replica.tokens[token] = scope
    name = "access_token" if replica.takes_post else "token"
    return json_reply(200, {name: token})


def _unauthorized() -> Reply:
    error = {"code": "UNAUTHORIZED", "message": "authentication required"}
    return json_reply(401, {"errors": [error]})


def _registry(replica: SignInReplica, asked: Request) -> Reply:
    path, _, query = asked.target.partition("?")
    if path == replica.token_path and not replica.realm_away:
        return _token_server(replica, asked)
    if path == "/oauth2/exchange" and replica.entra_tokens:
        return _exchange(replica, asked)
    found = _PATH.fullmatch(path)
    if found is None or asked.method not in ("GET", "HEAD"):
        return _violation(replica, asked)
    scope = CATALOG if path == "/v2/_catalog" else f"repository:{found[1]}:pull"
    if not _is_let_in(replica, asked, scope if path != "/v2/" else ""):
        replica.counts["registry_401"] += 1
        return _challenge(replica, scope if path != "/v2/" else "")
    if path.endswith("/_catalog") or path.endswith("/tags/list"):
        return _listing(replica, asked, path, query)
    made = registry_answer(replica.content, asked.method, asked.target, asked.headers)
    replica.counts[made.kind] += 1
    if made.blob is None:
        return Reply(made.status, made.headers, made.body, made.content_length)
    if not replica.stores_away:
        body = b""
        if asked.method == "GET":
            body = made.blob.read(made.first, made.last)
        return Reply(made.status, made.headers, body, made.content_length)
    digest = path.rpartition("/")[2]
    place = f"{replica.storage_url}/blob/{found[1]}/{digest}?sig=1"
    return Reply(307, (("Location", place), ("Docker-Content-Digest", digest)))


def _is_let_in(replica: SignInReplica, asked: Request, scope: str) -> bool:
    if not asked.authorization:
        return False
    scheme, _, shown = asked.authorization.partition(" ")
    if not replica.token_path:
        if scheme != "Basic":
            replica.violations.append(f"{scheme} at {asked.target}")
        good = asked.authorization == _basic(USER, PASSWORD)
        return good and not replica.has_ended
    if scheme != "Bearer":
        replica.violations.append(f"a password at {asked.target}")
    if replica.tokens_end_in == 0:
        for token in replica.used:
            del replica.tokens[token]
        replica.tokens_end_in = None
    elif replica.tokens_end_in is not None:
        replica.tokens_end_in -= 1
    granted = replica.tokens.get(shown)
    if granted is None or replica.has_ended:
        return False
    replica.used.add(shown)
    if scope and replica.has_scopes and granted != scope:
        replica.violations.append(f"a token for {granted} at {asked.target}")
    return True


def _challenge(replica: SignInReplica, scope: str) -> Reply:
    words = 'Basic realm="Registry"'
    if replica.token_path:
        realm = f"{replica.realm_url}{replica.token_path}"
        words = f'Bearer realm="{realm}",service="{host_of(replica.url)}"'
        words += f',scope="{scope}"' if scope else ""
    refusal = _unauthorized()
    return Reply(401, (*refusal.headers, ("WWW-Authenticate", words)), refusal.body)


def _listing(replica: SignInReplica, asked: Request, path: str, query: str) -> Reply:
    is_catalog = path == "/v2/_catalog"
    replica.counts["catalog" if is_catalog else "tags"] += 1
    said = parse_qs(query, keep_blank_values=True)
    known = {"n", "last", "orderby"} if replica.link_end else {"n", "last"}
    if not said.keys() <= known or asked.method != "GET":
        return _violation(replica, asked)
    name = path.removeprefix("/v2/").removesuffix("/tags/list")
    names = replica.content.repositories()
    found = names if is_catalog else replica.content.tags(name)
    if found is None:
        error = {"code": "NAME_UNKNOWN", "message": "repository name not known"}
        return json_reply(404, {"errors": [error]})
    head = {} if is_catalog else {"name": name}
    key = "repositories" if is_catalog else "tags"
    most = replica.pages[0 if is_catalog else 1]
    odd = () if is_catalog else replica.odd_tags
    if not most:
        return json_reply(200, {**head, key: [*found, *odd]})
    length = min(most, int(said.get("n", [str(most)])[0]))
    last = said.get("last", [""])[0]
    rest = [entry for entry in sorted(found) if entry > last]
    page = rest[:length]
    more: Fields = ()
    if len(rest) > length:
        place = f"{path}?last={page[-1]}&n={length}{replica.link_end}"
        more = (("Link", f'<{place}>; rel="next"'),)
    return json_reply(200, {**head, key: page}, more)


def _storage(replica: SignInReplica, asked: Request) -> Reply:
    """Azure's storage knows no range without a first byte, and a second secret beside
    the one in the address is an error there."""
    found = _STORED.fullmatch(asked.target)
    is_suffix = asked.headers.get("range", "").startswith("bytes=-")
    if found is None or asked.authorization or is_suffix:
        return _violation(replica, asked)
    target = f"/v2/{found[1]}/blobs/{found[2]}"
    made = registry_answer(replica.content, asked.method, target, asked.headers)
    if made.blob is None or asked.method == "HEAD":
        return Reply(made.status, made.headers, made.body, made.content_length)
    return Reply(made.status, made.headers, made.blob.read(made.first, made.last))


def _violation(replica: SignInReplica, asked: Request) -> Reply:
    replica.violations.append(f"{asked.method} {asked.target}")
    return json_reply(400, {"errors": [{"code": "UNSUPPORTED", "message": "no"}]})
