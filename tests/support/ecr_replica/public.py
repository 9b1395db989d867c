"""public.ecr.aws, for who has no account: a token of `/token/` for anybody, `/v2`, and
no catalog."""

import base64
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from support.ecr_replica.public_api import REGION, public_api
from support.ecr_replica.state import ECRState, an_ecr
from support.vendor_hosts import Reply, Request, json_reply, vendor_host
from weighbridge.demo.content.stored_documents import RegistryContent
from weighbridge.demo.http.server import answer as registry_answer

_SERVICE: Final = "public.ecr.aws"
_SCOPE: Final = "aws"
_SCOPES: Final = re.compile(r"aws|repository:[a-z0-9_./-]+:pull|registry:catalog:\*")
"""That of its challenge, and those that clients ask for by the specification."""
_KNOWN: Final = re.compile(r"/v2/(?:.+/(?:tags/list|manifests/[^/]+|blobs/[^/]+))?")
_PAGE: Final = 1_000


@dataclass(slots=True)
class PublicECR:
    """counts: requests by kind; violations: what no client of the real one may do;
    owner: who has an account, by the alias of `public_api`; None: nobody asks as one"""

    content: RegistryContent
    owner: ECRState | None = None
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""


@contextmanager
def public_ecr(content: RegistryContent) -> Iterator[PublicECR]:
    """Serve it; nothing that the real one forbids may have been asked."""
    state = PublicECR(content)
    with vendor_host(partial(_answer, state)) as url:
        state.url = url
        yield state
    assert state.violations == []


@contextmanager
def owned_public_ecr(content: RegistryContent) -> Iterator[tuple[PublicECR, ECRState]]:
    """The same with the API of somebody who owns what is below the alias."""
    owner = an_ecr(content)
    owner.region = REGION
    with public_ecr(content) as public, vendor_host(partial(public_api, owner)) as url:
        public.owner, owner.api_url = owner, url
        yield public, owner
    assert owner.violations == []


def _is_owner(state: PublicECR, asked: Request) -> bool:
    scheme, _, pair = asked.authorization.partition(" ")
    user, _, password = base64.b64decode(pair).decode().partition(":")
    is_right = state.owner is not None and state.owner.is_password(password)
    if (scheme, user) != ("Basic", "AWS"):
        state.violations.append(f"{scheme} of {user} for a token")
    return is_right


def _answer(state: PublicECR, asked: Request) -> Reply:
    path, _, query = asked.target.partition("?")
    if path == "/token/":
        state.counts["token"] += 1
        said = parse_qs(query)
        scopes = said.pop("scope", [])
        is_known = len(scopes) == 1 and _SCOPES.fullmatch(scopes[0]) is not None
        is_right = is_known and said == {"service": [_SERVICE]}
        if asked.authorization:
            if not _is_owner(state, asked):
                state.counts["wrong_password"] += 1
                return json_reply(401, {"errors": [{"code": "UNAUTHORIZED"}]})
            state.counts["owners_token"] += 1
        if asked.method != "GET" or not is_right:
            state.violations.append(f"{asked.method} {asked.target}")
        token = secrets.token_urlsafe(900)
        state.tokens.add(token)
        return json_reply(200, {"token": token})
    scheme, _, token = asked.authorization.partition(" ")
    if token not in state.tokens:
        if asked.authorization:
            state.violations.append(f"{scheme} at {asked.target}")
        state.counts["registry_401"] += 1
        realm = f'realm="{state.url}/token/",service="{_SERVICE}",scope="{_SCOPE}"'
        return Reply(401, (("WWW-Authenticate", f"Bearer {realm}"),), b"{}")
    if _KNOWN.fullmatch(path) is None:
        state.counts["refused"] += 1
        return json_reply(404, {"errors": [{"code": "UNSUPPORTED"}]})
    if path.endswith("/tags/list") and int(parse_qs(query)["n"][0]) > _PAGE:
        state.violations.append(asked.target)
    made = registry_answer(state.content, asked.method, asked.target, asked.headers)
    state.counts[made.kind] += 1
    if made.blob is None:
        return Reply(made.status, made.headers, made.body, made.content_length)
    return Reply(made.status, made.headers, made.blob.read(made.first, made.last))
