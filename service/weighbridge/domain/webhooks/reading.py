"""Reads a webhook's body by its sender's adapter."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from weighbridge.domain.push import PushSeen, Source
from weighbridge.domain.strict_json import parse_json
from weighbridge.domain.webhooks import (
    acr,
    artifactory,
    distribution,
    dockerhub,
    ecr,
    github,
    google,
    harbor,
    nexus,
    quay,
    zot,
)
from weighbridge.domain.webhooks.told import Delivery, Outcome, Reason, Told
from weighbridge.errors import DocumentError

Adapter: TypeAlias = Callable[[Delivery], Iterable[Outcome]]

ADAPTERS: Final[Mapping[Source, Adapter]] = {
    "acr": acr.read,
    "artifactory": artifactory.read,
    "distribution": distribution.read,
    "dockerhub": dockerhub.read,
    "ecr": ecr.read,
    "ghcr": github.read,
    # Its registry is a distribution, and sends what that sends.
    "gitlab": distribution.read,
    "google": google.read,
    "harbor": harbor.read,
    "nexus": nexus.read,
    "quay": quay.read,
    "zot": zot.read,
}


def read_body(
    source: Source, body: bytes, headers: Mapping[str, str], host: str = ""
) -> Told:
    """What the body tells; never raises.

    headers: by their names in lower case
    host:    of the registry that the sender speaks for, `host[:port]`
    """
    try:
        delivery = Delivery(parse_json(body), headers, host)
        if source == "acr" and (reply := acr.handshake(delivery)) is not None:
            return Told(reply=reply)
        outcomes = tuple(ADAPTERS[source](delivery))
    except DocumentError:
        return Told(useless=("malformed",))
    pushes = tuple(
        _named(each, headers) for each in outcomes if isinstance(each, PushSeen)
    )
    useless: tuple[Reason, ...] = tuple(
        each for each in outcomes if not isinstance(each, PushSeen)
    )
    # Nothing at all is no push either.
    return Told(pushes, useless if pushes or useless else ("not_a_push",))


def _named(push: PushSeen, headers: Mapping[str, str]) -> PushSeen:
    """With the name that standard-webhooks has for a message, where its body has
    none: what is sent again is told once."""
    message = headers.get("webhook-id", "")
    if push.event or not message:
        return push
    return replace(push, event=f"{message} {push.repository} {push.tag}")
