"""What kind a registry is, by its own answers to somebody without credentials: `/v2/`,
then at most four probes. Each kind gives its own signs (`exchange.kind_signs`)."""

from collections.abc import Iterable, Mapping
from typing import Final

import httpx
from msgspec import Struct

from weighbridge.domain.limits import ERROR_BODY_BYTES
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import (
    AuthError,
    DocumentError,
    RegistryError,
    TransportError,
)
from weighbridge.net.guard.addresses import redact_url
from weighbridge.registry.auth.token_server import Challenge, parse
from weighbridge.registry.client import RegistryClient
from weighbridge.registry.exchange.kind_signs import (
    MOST_PROBES,
    KindProbe,
    KindSigns,
)
from weighbridge.registry.exchange.registry_request import (
    RegistryAnswer,
    RegistryRequest,
)

PROBE_BODY_BYTES: Final = 2 * 1024 * 1024
"""Of a probe's answer; Quay describes its whole API, in less than one."""
_SHOWN_CHARACTERS: Final = 120
_ANSWERS: Final = frozenset(range(400, 500)) - {408, 429}
"""A refusal says something too, or at least that it is no kind that would answer; one
that may be over soon says nothing."""


class Recognised(Struct, frozen=True):
    """A kind and what showed it, for people. kind: None: nothing showed any"""

    kind: str | None
    sign: str


async def recognise(
    client: RegistryClient, url: str, signs: Mapping[str, KindSigns]
) -> Recognised:
    """What the registry at this URL is.

    client: asks as nobody
    signs:  of each kind, by its name
    Raises TransportError, RegistryError where `/v2/` or a probe brought no answer, so
    that another attempt may show more.
    """
    answer = await client.ask_unsigned(
        RegistryRequest("ping", f"{url}/v2/", "", ERROR_BODY_BYTES, handles=_ANSWERS)
    )
    for kind, of_kind in signs.items():
        if sign := _shown_by(answer, of_kind):
            probe = of_kind.probe
            if probe is None or await _fits(client, url, probe):
                return Recognised(kind, sign)
            # A host that passes on `/v2/` alone: its listings would be foreign pages.
            told = f"{sign}, but {probe.path} does not answer as there"
            return Recognised(None, told)
    asked: list[str] = []
    for kind, of_kind in signs.items():
        probe = of_kind.probe
        if probe is None or len(asked) == MOST_PROBES:
            continue
        asked.append(probe.path)
        if await _fits(client, url, probe):
            return Recognised(kind, f"GET {probe.path} answers: {probe.told}")
    told = f" and {', '.join(asked)}" if asked else ""
    return Recognised(None, f"its answers show no other kind: /v2/{told}")


def _shown_by(answer: RegistryAnswer, signs: KindSigns) -> str:
    """What of the answer to `/v2/` shows this kind; "" where nothing does. Where a
    redirect has led away, another host speaks."""
    if answer.is_away:
        return ""
    for name in sorted(signs.headers):
        if name in answer.headers:
            return f"/v2/ answers with {name}: {_shown(answer.headers.get(name))}"
    for challenge in _challenges(answer):
        service = challenge.params.get("service", "")
        if service in signs.services:
            return f"/v2/ asks to sign in to the service {service}"
        realm = _address(challenge.params.get("realm", ""))
        if signs.realm is not None and signs.realm.fullmatch(realm):
            return f"/v2/ names the token server {_shown(redact_url(realm))}"
    return ""


def _challenges(answer: RegistryAnswer) -> Iterable[Challenge]:
    try:
        return parse(answer.headers.get_list("www-authenticate"))
    except AuthError:
        return ()  # Whoever signs in by it tells what is wrong with it.


def _address(realm: str) -> str:
    """Without query and fragment; "" for what is no URL."""
    try:
        return str(httpx.URL(realm).copy_with(query=None, fragment=None))
    except httpx.InvalidURL:
        return ""


async def _fits(client: RegistryClient, url: str, probe: KindProbe) -> bool:
    question = RegistryRequest(
        "ping", f"{url}{probe.path}", "", PROBE_BODY_BYTES, handles=_ANSWERS
    )
    try:
        answer = await client.ask_unsigned(question)
        value = parse_json(answer.content or b"")
    except DocumentError:
        return False
    except (RegistryError, TransportError) as exc:
        if exc.retryable:
            raise
        return False  # Such as a page for people, or a redirect that leads nowhere.
    if answer.status != 200 or answer.is_away or not isinstance(value, dict):
        return False
    return probe.shows(value)


def _shown(text: str) -> str:
    return printable(text, _SHOWN_CHARACTERS)
