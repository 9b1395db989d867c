"""A service that takes webhooks, over a small database, and bodies to send to it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from sqlalchemy import Row, select
from starlette.testclient import TestClient

from support.fake_jobs import FakeJobs
from support.read_model import NOW
from support.wait import PATIENCE_S
from support.web_app import create_app
from weighbridge.domain.text.printable import Secret
from weighbridge.domain.webhook.webhook_source import PushSeen
from weighbridge.store.models import pushes
from weighbridge.store.session import Database
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.webhooks.receiver import Hook, Reception

SECRET: Final = "a-secret-of-harbor"
DIGEST: Final = "sha256:" + "a" * 64
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"


def a_hook(
    source: str = "distribution",
    registry: str = "local",
    *secrets: str,
    is_ours: Callable[[PushSeen], bool] = lambda _: True,
) -> Hook:
    known = [Secret(text) for text in secrets or (SECRET,)]
    return Hook(source, registry, "registry.example", lambda: known, is_ours=is_ours)


def a_push(
    event: str = "e-1", repository: str = "shop/api", tag: str | None = "1.4"
) -> dict[str, object]:
    """One event, as a distribution sends it."""
    target: dict[str, object] = {
        "mediaType": MANIFEST,
        "digest": DIGEST,
        "repository": repository,
        "url": "http://169.254.169.254/",
    }
    if tag is not None:
        target["tag"] = tag
    return {"id": event, "action": "push", "target": target}


def body_of(*events: dict[str, object]) -> bytes:
    return json.dumps({"events": list(events)}).encode()


@dataclass(frozen=True, slots=True)
class Service:
    """A client of it, and what it has left behind."""

    client: TestClient
    database: Database
    telemetry: Telemetry
    jobs: FakeJobs

    def post(
        self,
        content: bytes = body_of(a_push()),
        *,
        path: str = "/webhooks/distribution",
        authorization: str | None = f"Bearer {SECRET}",
        **headers: str,
    ) -> httpx2.Response:
        """headers: with `_` for `-`"""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if authorization is not None:
            sent["authorization"] = authorization
        answer: httpx2.Response = self.client.post(path, content=content, headers=sent)
        return answer

    def rows(self) -> list[Row[Any]]:
        with self.database.read() as connection:
            return list(connection.execute(select(pushes).order_by(pushes.c.id)))

    def events(self, source: str = "distribution") -> float:
        return self._value("weighbridge_webhook_events_total", source=source)

    def rejections(self, source: str = "distribution") -> dict[str, float]:
        """Those that there were, by reason."""
        found = {
            sample.labels["reason"]: sample.value
            for metric in self.telemetry.registry.collect()
            for sample in metric.samples
            if sample.name == "weighbridge_webhook_rejections_total"
            and sample.labels["source"] == source
        }
        return {reason: value for reason, value in found.items() if value}

    def _value(self, name: str, **labels: str) -> float:
        value = self.telemetry.registry.get_sample_value(name, labels)
        assert value is not None, name
        return value


def a_service(
    database: Database,
    hooks: Sequence[Hook] = (),
    options: WebOptions | None = None,
) -> Service:
    """A distribution's, where no hooks are named."""
    telemetry, jobs = Telemetry(), FakeJobs()
    app = create_app(
        database,
        telemetry,
        options or WebOptions(),
        Reception(hooks or (a_hook(),), jobs, answer_s=PATIENCE_S),
        now=lambda: NOW,
    )
    client = TestClient(
        app, base_url="http://127.0.0.1:8080", raise_server_exceptions=False
    )
    return Service(client, database, telemetry, jobs)
