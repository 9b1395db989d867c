"""Six registries of six kinds on loopback: four that are well, one that throttles all
that it is asked, and one that is dead. Each has a secret of its own."""

import json
import socket
import subprocess
import sys
import time
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

from sqlalchemy import create_engine, func, select

from support.ecr_replica import state as ecr_state
from support.ecr_replica.serving import ecr_replica
from support.ghcr_replica import state as ghcr_state
from support.google_replica import state as google_state
from support.google_replica.serving import google_replica
from support.harbor_replica import state as harbor_state
from support.harbor_replica.serving import harbor_replica
from support.hub_replica import state as hub_state
from support.platform_content import platform_content
from support.quay_replica import state as quay_state
from support.quay_replica.serving import quay_replica
from support.replica.changes import ChangingContent
from support.vendor_hosts import (
    Reply,
    Request,
    hearing,
    host_of,
    json_reply,
    vendor_host,
)
from weighbridge.store.models import crawls, registries, repositories

HEALTHY: Final = ("cloud", "google", "harbor", "quay")
THROTTLED, DEAD = "hub", "github"
REPOSITORIES: Final = {
    "cloud": "shop/cart",
    "google": "acme/images/shop/cart",
    "harbor": "shop/cart",
    "quay": "shop/cart",
}
SECRETS: Final = {
    "cloud": ecr_state.SECRET,
    "google": "PRIVATE KEY",
    "harbor": harbor_state.SECRET,
    "quay": quay_state.ROBOT_PASSWORD,
    THROTTLED: hub_state.PASSWORD,
    DEAD: ghcr_state.TOKEN,
}
"""What is configured, by the name of the entry; of a key that is a whole document, a
part of it."""
PATIENCE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """heard: what the hosts of each entry were asked
    entries: as they are configured
    states: of the replicas of those that are well
    """

    heard: Mapping[str, Sequence[Request]]
    entries: Mapping[str, dict[str, object]]
    states: Sequence[Any]

    def violations(self) -> list[str]:
        return [one for state in self.states for one in state.violations]

    def issued(self) -> dict[str, list[str]]:
        """Tokens and passwords that the replicas have given, by the entry."""
        cloud, google, harbor, quay = self.states
        return {
            "cloud": [*cloud.passwords],
            "google": [*google.tokens],
            "harbor": [*harbor.tokens],
            "quay": [*quay.pull_tokens],
        }

    def secrets(self) -> dict[str, list[str]]:
        """All that nobody but the hosts of each entry may be shown."""
        issued = self.issued()
        return {name: [own, *issued.get(name, ())] for name, own in SECRETS.items()}


@dataclass(frozen=True, slots=True)
class Crawled:
    """A crawl by a process of its own.

    lasted_s: until each of the healthy registries was done, by its name
    """

    exit_code: int
    registries: dict[str, dict[str, Any]]
    written: str
    lasted_s: dict[str, float]


@contextmanager
def mixed_fleet(
    folder: Path, tags: int, *, is_silent: bool = False, retry_after_s: int = 3_600
) -> Iterator[Fleet]:
    """Served for the length of a block.

    is_silent: whether the dead one takes connections and never answers; else it refuses
    them
    retry_after_s: when the throttling one may be asked again, as it says each time
    """
    content = {
        name: ChangingContent(platform_content(repository, tags, 1))
        for name, repository in REPOSITORIES.items()
    }
    cloud = ecr_state.an_ecr(content["cloud"])
    google = google_state.Google(content["google"])
    harbor = harbor_state.a_harbor(content["harbor"])
    quay = quay_state.a_quay(content["quay"])
    heard: dict[str, list[Request]] = {}
    with ExitStack() as stack:
        for name, replica in (
            ("cloud", ecr_replica(cloud)),
            ("google", google_replica(google)),
            ("harbor", harbor_replica(harbor)),
            ("quay", quay_replica(quay)),
        ):
            with hearing() as heard[name]:
                stack.enter_context(replica)
        with hearing() as heard[THROTTLED]:
            throttled = stack.enter_context(
                vendor_host(partial(_throttle, retry_after_s))
            )
        dead = stack.enter_context(_dead(is_silent=is_silent))
        entries: tuple[dict[str, object], ...] = (
            {
                "name": "cloud",
                "kind": "ecr",
                "url": cloud.registry_url,
                "api_url": cloud.api_url,
                "account": ecr_state.ACCOUNT,
                "region": ecr_state.REGION,
                "auth": _auth(ecr_state.KEY_ID, ecr_state.SECRET),
                "trusted_storage_hosts": [host_of(cloud.storage_url)],
            },
            {
                "name": "google",
                "kind": "google",
                "url": google.url,
                "repositories": {"include": ["acme/*"]},
                "key_file": str(google_state.key_file(folder)),
            },
            {
                "name": "harbor",
                "kind": "harbor",
                "url": harbor.url,
                "auth": _auth(harbor_state.ROBOT, harbor_state.SECRET),
            },
            {
                "name": "quay",
                "kind": "quay",
                "url": quay.url,
                "namespaces": ["shop"],
                "auth": _auth(quay_state.ROBOT, quay_state.ROBOT_PASSWORD),
            },
            {
                "name": THROTTLED,
                "kind": "dockerhub",
                "url": throttled,
                "api_url": throttled,
                "namespaces": ["shop"],
                "auth": _auth(hub_state.USER, hub_state.PASSWORD),
            },
            {
                "name": DEAD,
                "kind": "ghcr",
                "url": dead,
                "api_url": dead,
                "organizations": ["shop"],
                "auth": _auth(ghcr_state.USER, ghcr_state.TOKEN),
            },
        )
        yield Fleet(
            heard,
            {str(entry["name"]): entry for entry in entries},
            (cloud, google, harbor, quay),
        )


def crawl_fleet(
    fleet: Fleet, folder: Path, names: Sequence[str], database: str
) -> Crawled:
    """`weighbridge crawl` of these entries into a database of this name, with a log of
    all that there is to say."""
    entries = [fleet.entries[name] for name in names]
    url = f"sqlite:///{folder / database}"
    settings = {"log_level": "debug", "database_url": url, "registries": entries}
    (folder / "weighbridge.yaml").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "weighbridge", "crawl", "-o", "json", "--debug"]
    began_at = time.time()
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    ended = _ended_at(url)
    lasted = {
        name: max(ended[name], fleet.heard[name][-1].at) - began_at for name in HEALTHY
    }
    return Crawled(
        done.returncode,
        {one["name"]: one for one in said["registries"]},
        done.stdout + done.stderr,
        lasted,
    )


def readable(asked: Request) -> str:
    """All that a request shows its host, with what base64 hides."""
    fields = [*asked.headers.values()]
    for word in asked.authorization.split():
        with suppress(NoBase64, ValueError):
            fields.append(b64decode(word, validate=True).decode("utf-8", "replace"))
    text = "\n".join([asked.target, *fields, asked.body.decode("utf-8", "replace")])
    return f"{text}\n{unquote_plus(text)}"


def _auth(username: str, password: str) -> dict[str, str]:
    return {"username": username, "password": password}


def _throttle(retry_after_s: int, _: Request) -> Reply:
    body = {"detail": "Rate limit exceeded", "error": False}
    return json_reply(429, body, (("Retry-After", str(retry_after_s)),))


@contextmanager
def _dead(*, is_silent: bool) -> Iterator[str]:
    """A port at which nobody answers. What is not accepted yet is connected."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if is_silent:
            listener.listen(1_000)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _ended_at(database_url: str) -> dict[str, float]:
    """When the last crawl of each registry's repositories was stored."""
    asked = (
        select(
            registries.c.name, func.max(crawls.c.ended_at, type_=crawls.c.ended_at.type)
        )
        .join_from(crawls, repositories, repositories.c.id == crawls.c.repository_id)
        .join(registries, registries.c.id == repositories.c.registry_id)
        .group_by(registries.c.name)
    )
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            return {name: at.timestamp() for name, at in connection.execute(asked)}
    finally:
        engine.dispose()
