"""F21: Redis takes connections and answers nothing; whoever sends is answered."""

import time
from pathlib import Path
from typing import Final

import httpx
import pytest
from sqlalchemy import func, select

from support.database import a_database
from support.redis_server import a_redis
from support.serving import PLAIN
from support.wait import PATIENCE_S, wait_in_thread
from support.web_app import create_app
from support.web_service import served
from support.webhooks import SECRET, a_hook, a_push, body_of
from weighbridge.bootstrap.distributed.service import service_enqueuer
from weighbridge.config import Settings
from weighbridge.config.webhook_settings import WebhookSettings
from weighbridge.domain.text.printable import Secret
from weighbridge.store.models import pushes
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.webhooks.receiver import Reception

WEBHOOKS: Final = 100
QUICK_S: Final = 1.0
"""Redis is given up after about as long: whoever waited for it would take longer."""


@pytest.mark.parametrize("is_frozen", [True, False], ids=["frozen", "gone"])
def test_f21_webhooks_are_kept_and_answered_without_redis(
    tmp_path: Path, is_frozen: bool
) -> None:
    slowest_s = []
    # A machine that stands still makes one of them slow, not each.
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        slowest_s.append(slowest_answer(folder, is_frozen=is_frozen))
        if slowest_s[-1] < QUICK_S:
            break

    assert min(slowest_s) < QUICK_S, slowest_s


def slowest_answer(tmp_path: Path, *, is_frozen: bool) -> float:
    """Of many, none of which may be lost."""
    with a_redis() as redis, a_database(tmp_path) as database:
        settings = Settings(
            database_url=Secret("sqlite:///w.db"),
            redis_url=redis.url,
            webhooks=(
                WebhookSettings(
                    source="distribution", registry="local", secret=Secret(SECRET)
                ),
            ),
        )
        with service_enqueuer(settings) as jobs:
            reception = Reception([a_hook()], jobs, answer_s=PATIENCE_S)
            app = create_app(database, Telemetry(), WebOptions(), reception)
            with (
                served(app) as url,
                httpx.Client(trust_env=False, verify=PLAIN, timeout=60) as client,
            ):
                if is_frozen:
                    redis.freeze()
                else:
                    redis.stop()
                times = []
                for number in range(WEBHOOKS):
                    began = time.monotonic()
                    answer = client.post(
                        f"{url}/webhooks/distribution",
                        content=body_of(a_push(str(number), f"shop/r{number}")),
                        headers={"authorization": f"Bearer {SECRET}"},
                    )
                    times.append(time.monotonic() - began)
                    assert answer.status_code == 202
                if is_frozen:
                    redis.resume()
        with database.read() as connection:
            query = select(func.count()).select_from(pushes)
            kept = connection.execute(query).scalar_one()

    assert kept == WEBHOOKS
    return max(times)


def test_a_look_is_asked_of_the_workers_as_soon_as_a_push_is_kept(
    tmp_path: Path,
) -> None:
    with a_redis() as redis, a_database(tmp_path) as database:
        settings = Settings(
            database_url=Secret("sqlite:///w.db"),
            redis_url=redis.url,
            webhooks=(
                WebhookSettings(
                    source="distribution", registry="local", secret=Secret(SECRET)
                ),
            ),
        )
        with service_enqueuer(settings) as jobs, redis.client() as client:
            reception = Reception([a_hook()], jobs, answer_s=PATIENCE_S)
            app = create_app(database, Telemetry(), WebOptions(), reception)
            with served(app) as url:
                httpx.post(
                    f"{url}/webhooks/distribution",
                    content=body_of(a_push()),
                    headers={"authorization": f"Bearer {SECRET}"},
                    trust_env=False,
                    verify=PLAIN,
                )
            wait_in_thread(lambda: client.llen("push") == 1, "a look is asked for")

            assert "weighbridge.push" in str(client.lindex("push", 0))
            assert "local/shop/api" in str(client.keys("weighbridge:waiting:*"))
