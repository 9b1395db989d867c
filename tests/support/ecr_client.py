"""The client of Amazon ECR over handlers, for tests without a socket."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from support.fake_clock import FakeClock
from support.handler_connections import Handler, HandlerConnections
from support.registry_client import an_endpoint
from weighbridge.domain.text.printable import Secret
from weighbridge.registry.kinds.ecr.aws_keys import AccessKey
from weighbridge.registry.kinds.ecr.ecr_kind import ECRPlace
from weighbridge.registry.kinds.ecr.ecr_registry import ECRRegistry, ecr_registry
from weighbridge.telemetry import Telemetry

PLACE = ECRPlace("111122223333", "eu-central-1", "https://api.example")


class SomeKeys:
    """A new key each time that it is renewed; so many of them."""

    def __init__(self, renewals: int = 0) -> None:
        self.renewals = renewals
        self.number = 1

    def __str__(self) -> str:
        return "the keys of a test"

    async def current(self) -> AccessKey:
        return AccessKey(f"AKIATEST{self.number:08}", Secret("canary-key"))

    async def renew(self) -> bool:
        self.renewals -= 1
        self.number += 1
        return self.renewals >= 0


@dataclass(slots=True)
class AskingECR:
    """A client of both hosts, with everything that a test looks at.

    api, registry: what each host was asked
    """

    ecr: ECRRegistry
    api: HandlerConnections
    registry: HandlerConnections
    time: FakeClock = field(default_factory=FakeClock)

    @property
    def actions(self) -> list[str]:
        """What the API was asked for, in order."""
        return [action_of(request) for request in self.api.requests]


def _silent(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nobody expected {request.method} {request.url}")


def asking_ecr(
    api: Handler = _silent, registry: Handler = _silent, keys: SomeKeys | None = None
) -> AskingECR:
    """A host without a handler may not be asked."""
    time = FakeClock()
    asked = HandlerConnections(registry), HandlerConnections(api)
    client = ecr_registry(
        an_endpoint(),
        an_endpoint(url=PLACE.api_url),
        asked,
        Telemetry(),
        time.clock,
        PLACE,
        keys or SomeKeys(),
    )
    assert isinstance(client, ECRRegistry)
    return AskingECR(client, asked[1], asked[0], time)


def action_of(request: httpx.Request) -> str:
    return str(request.headers["x-amz-target"]).rpartition(".")[2]


def question_of(request: httpx.Request) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(request.content)
    return question


def refused(name: str, message: str = "no") -> httpx.Response:
    return httpx.Response(400, json={"__type": name, "message": message})


def password_answer(password: str, expires_at: float) -> httpx.Response:
    """What GetAuthorizationToken answers."""
    text = base64.b64encode(f"AWS:{password}".encode()).decode()
    given = {"authorizationToken": text, "expiresAt": expires_at}
    return httpx.Response(200, json={"authorizationData": [given]})
