"""How long a push takes to its verdict, and to whoever is told."""

import json
import random
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import select

from support.docker_registry import DockerRegistry
from support.images_oci import (
    OCI_MANIFEST,
    MadeImage,
    Pusher,
    made_image,
    made_layer,
)
from support.message_sink import MessageSink
from support.pushing import SECRET, skopeo_push
from weighbridge.store.models import pushes
from weighbridge.store.session import Database

POLICY: Final = {"name": "small", "max_compressed": "1KB"}
_OVER: Final = 4_000


def telling(
    sink: MessageSink, policy: Mapping[str, object] = POLICY
) -> dict[str, object]:
    """What is configured so that what is over a limit is told to it, each repository
    by itself, over a hundred channels: one has ten messages a minute.

    policy: by default one that every push is over
    """
    ends = [f"{number:02}" for number in range(100)]
    return {
        "webhooks": [{"source": "distribution", "registry": "near", "secret": SECRET}],
        "channels": [_channel(sink, name) for name in ("", *ends)],
        "routes": [
            *(
                {"match": {"repository": f"*{end}"}, "channel": f"hook{end}"}
                for end in ends
            ),
            *(
                {"match": {"repository": f"*p{n}"}, "channel": "hook"}
                for n in range(10)
            ),
        ],
        "policies": [dict(policy)],
    }


def _channel(sink: MessageSink, end: str) -> dict[str, object]:
    return {
        "name": f"hook{end}",
        "kind": "webhook",
        "url": sink.url,
        "allow_private": True,
        "plain_http": True,
    }


def _heavy(repository: str) -> MadeImage:
    content = random.Random(repository).randbytes(_OVER)  # noqa: S311 - no secret
    return made_image(made_layer(repository, content), label=repository)


@dataclass(slots=True)
class Timed:
    """Seconds from when a manifest was sent to the registry, by repository."""

    began: dict[str, float] = field(default_factory=dict)

    def push(self, pusher: Pusher, repository: str) -> None:
        """An image that nobody has seen, into a repository of its own."""
        image = _heavy(repository)
        for blob in (image.config, *image.layers):
            pusher.push_blob(repository, blob)
        self.began[repository] = time.time()
        pusher.push_manifest(repository, "1.0", image.manifest, OCI_MANIFEST)

    def push_by_skopeo(self, folder: Path, registry: str, repository: str) -> None:
        """The same by skopeo, from its own start on."""
        image = _heavy(repository)
        self.began[repository] = time.time()
        skopeo_push(folder, registry, f"{repository}:1.0", image)

    def to_verdict(self, database: Database) -> dict[str, float]:
        with database.read() as connection:
            rows = connection.execute(
                select(pushes.c.repository, pushes.c.done_at).where(
                    pushes.c.done_at.is_not(None), pushes.c.outcome == "new"
                )
            ).all()
        return {
            row.repository: row.done_at.timestamp() - self.began[row.repository]
            for row in rows
            if row.repository in self.began
        }

    def to_message(self, sink: MessageSink) -> dict[str, float]:
        return {
            item["repository"]: message.at - self.began[item["repository"]]
            for message in reversed(sink.received)
            for item in message.items
            if item["repository"] in self.began
        }


@dataclass(frozen=True, slots=True)
class Spread:
    """Of some times in seconds."""

    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.3f} s, p99 {self.p99:.3f} s, max {self.longest:.3f} s"


def spread(times: Mapping[str, float]) -> Spread:
    ordered = sorted(times.values())
    return Spread(_at(ordered, 0.5), _at(ordered, 0.99), ordered[-1])


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def multiply(registry: DockerRegistry, repository: str, count: int) -> list[str]:
    """So many repositories with the content of one, made in the registry's folder."""
    home = registry.folder / "data/docker/registry/v2/repositories"
    names = [f"bulk/r{number:05}" for number in range(count)]
    for name in names:
        shutil.copytree(home / repository, home / name)
    return names


def configure(path: Path, changes: Mapping[str, object]) -> None:
    """Change top-level keys of a configuration that is JSON."""
    configured = json.loads(path.read_text()) | dict(changes)
    path.write_text(json.dumps(configured))
