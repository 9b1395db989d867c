"""Somebody else holds the database: whoever sends is told soon, and nothing is lost."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import func, select

from support.database import a_database
from support.fake_jobs import FakeJobs
from support.serving import PLAIN
from support.wait import wait_in_thread
from support.web_app import create_app
from support.web_service import served
from support.webhooks import SECRET, a_hook, a_push, body_of
from weighbridge.ports.job_names import PUSH
from weighbridge.store.models import pushes
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions
from weighbridge.web.webhooks.inbox import ANSWER_S
from weighbridge.web.webhooks.receiver import Reception

HELD_S: Final = 3.0
WEBHOOKS: Final = 12


def test_f25_a_locked_database_is_503_and_what_is_sent_again_is_kept_once(
    tmp_path: Path,
) -> None:
    jobs = FakeJobs()
    with a_database(tmp_path) as database:
        app = create_app(
            database, Telemetry(), WebOptions(), Reception([a_hook()], jobs)
        )
        with (
            served(app) as url,
            httpx.Client(trust_env=False, verify=PLAIN, timeout=30) as client,
        ):

            def post(number: int) -> httpx.Response:
                return client.post(
                    f"{url}/webhooks/distribution",
                    content=body_of(a_push(str(number), f"shop/r{number}")),
                    headers={"authorization": f"Bearer {SECRET}"},
                )

            with closing(sqlite3.connect(tmp_path / "weighbridge.db")) as other:
                other.isolation_level = None
                other.execute("BEGIN IMMEDIATE")
                ends_at = time.monotonic() + HELD_S
                answers: list[tuple[float, httpx.Response]] = []

                def send(number: int) -> None:
                    began = time.monotonic()
                    answer = post(number)
                    answers.append((time.monotonic() - began, answer))

                threads = [
                    threading.Thread(target=send, args=(number,))
                    for number in range(WEBHOOKS)
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                late = [post(WEBHOOKS) for _ in range(3)]
                time.sleep(max(0.0, ends_at - time.monotonic()))
                other.execute("ROLLBACK")
            for number in range(WEBHOOKS + 1):

                def is_taken(number: int = number) -> bool:
                    return post(number).status_code == 202

                wait_in_thread(is_taken, "it is taken when sent again")
        with database.read() as connection:
            query = select(func.count()).select_from(pushes)
            kept = connection.execute(query).scalar_one()

    assert [answer.status_code for _, answer in answers] == [503] * WEBHOOKS
    # Some seconds more, where the machine stands still; senders wait for ten.
    assert max(seconds for seconds, _ in answers) < ANSWER_S + 8
    assert all(answer.headers["retry-after"] == "2" for _, answer in answers)
    assert {answer.status_code for answer in late} == {503}
    # Nobody waits where others do in vain.
    assert min(answer.elapsed.total_seconds() for answer in late) < 0.5
    assert kept == WEBHOOKS + 1
    assert sorted(jobs.of(PUSH)) == sorted(f"local/shop/r{n}" for n in range(13))
