"""Entra's server of tokens on loopback, for one tenant and one federated identity
(learn.microsoft.com, v2-oauth2-client-creds-grant-flow, "Federated credential")."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from support.sign_in_replicas import TENANT
from support.vendor_hosts import Reply, Request, json_reply, vendor_host

CLIENT: Final = "6731de76-14a6-49ae-97bc-6eba6914391e"
_FORM: Final = {
    "grant_type": ["client_credentials"],
    "client_id": [CLIENT],
    "scope": ["https://containerregistry.azure.net/.default"],
    "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
}


@dataclass(slots=True)
class Entra:
    """assertions: tokens of Kubernetes that are good now
    given:      tokens that the registry is to take
    asked:      how often
    """

    assertions: set[str]
    given: set[str]
    asked: int = 0
    violations: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def entra_replica(entra: Entra) -> Iterator[Entra]:
    """Serve it; nothing that the real one does not know may have been asked."""
    with vendor_host(partial(_answer, entra)) as entra.url:
        yield entra
    assert entra.violations == []


def _answer(entra: Entra, asked: Request) -> Reply:
    entra.asked += 1
    form = parse_qs(asked.body.decode(), keep_blank_values=True)
    assertion = form.pop("client_assertion", [""])[0]
    kind = asked.headers.get("content-type")
    is_known = asked.target == f"/{TENANT}/oauth2/v2.0/token" and form == _FORM
    is_form = kind == "application/x-www-form-urlencoded"
    if not is_known or not is_form or asked.method != "POST" or asked.authorization:
        entra.violations.append(f"{asked.method} {asked.target} {sorted(form)}")
        return json_reply(400, {"error": "invalid_request"})
    if assertion not in entra.assertions:
        # What it says may hold what it was shown.
        words = f"AADSTS700024: Client assertion is not valid now: {assertion}"
        return json_reply(401, {"error": "invalid_client", "error_description": words})
    entra.given.add(token := f"entra.c4nary.{secrets.token_urlsafe(12)}")
    answer = {"token_type": "Bearer", "expires_in": 3599, "access_token": token}
    return json_reply(200, answer)
