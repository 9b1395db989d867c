"""A real registry that tells Weighbridge of pushes, and images pushed by skopeo."""

import json
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import select

from support.certificates import Authority
from support.database import Engine, a_database_url
from support.docker_registry import DockerRegistry, docker_registry
from support.images_oci import MadeImage
from support.missing import skip_or_fail
from support.serving import free_address, serving
from support.wait import PATIENCE_S, wait_in_thread
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.report.inventory import TagReport
from weighbridge.store.models import blobs, pushes, repositories, tags
from weighbridge.store.reports.inventory import registry_freshness
from weighbridge.store.reports.tags import tag_page
from weighbridge.store.session import Database, open_database

SECRET: Final = "a-secret-of-docker-registry"


@contextmanager
def notifying_registry(
    folder: Path, receiver: str, authority: Authority | None = None
) -> Iterator[DockerRegistry]:
    """It tells of each push until somebody takes it, in order, as it does everywhere.

    receiver:  host and port of a service of ours
    authority: of the service's certificate; None: it is told over plain HTTP
    """
    scheme = "http" if authority is None else "https"
    endpoint = {
        "name": "weighbridge",
        "url": f"{scheme}://{receiver}/webhooks/distribution",
        "headers": {"Authorization": [f"Bearer {SECRET}"]},
        "timeout": "2s",
        "threshold": 5,
        "backoff": "500ms",
        # As `weighbridge webhook url` prints it: our own reads are not told to us.
        "ignore": {
            "mediatypes": ["application/octet-stream"],
            "actions": ["pull", "mount"],
        },
    }
    settings = {"notifications": {"endpoints": [endpoint]}}
    trusted = {} if authority is None else {"SSL_CERT_FILE": authority.ca_file}
    with docker_registry(folder, settings=settings, environment=trusted) as registry:
        yield registry


def skopeo_push(folder: Path, registry: str, name: str, image: MadeImage) -> None:
    """Push an image as `repository:tag`."""
    if shutil.which("skopeo") is None:
        skip_or_fail("skopeo is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for blob in (image.config, *image.layers, image.manifest):
        (blobs / digest_of(blob).partition(":")[2]).write_bytes(blob)
    manifest = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.digest,
        "size": len(image.manifest),
    }
    index = {"schemaVersion": 2, "manifests": [manifest]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    done = subprocess.run(
        [
            *("skopeo", "--insecure-policy", "copy", "--quiet"),
            *("--dest-tls-verify=false", f"oci:{folder}"),
            f"docker://{registry}/{name}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@dataclass(slots=True)
class PushStage:
    """A registry, a service that it tells of pushes, and the service's database."""

    folder: Path
    registry: DockerRegistry
    address: str
    database_url: str
    database: Database
    config: Mapping[str, object] = field(default_factory=dict)
    authority: Authority | None = None
    web: Mapping[str, object] = field(default_factory=dict)

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What a client is told of the service's certificate."""
        if self.authority is None:
            return None
        return ssl.create_default_context(cafile=self.authority.ca_file)

    def up(self) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        """The service, until the block ends. What was committed is there still."""
        configured = {
            "database_url": self.database_url,
            "registries": [{"name": "near", "url": self.registry.url}],
            "webhooks": [
                {"source": "distribution", "registry": "near", "secret": SECRET}
            ],
            "web": {**self._tls(), **self.web},
            **self.config,
        }
        home = self.folder / "service"
        home.mkdir(exist_ok=True)
        (home / "weighbridge.yaml").write_text(json.dumps(configured))
        command = [sys.executable, "-m", "weighbridge", "up", "--bind", self.address]
        return serving(command, home, self.address, "/readyz", self.tls)

    def _tls(self) -> dict[str, object]:
        """With TLS as others reach it: not without a token."""
        if self.authority is None:
            return {}
        file = str(self.authority.server_file("127.0.0.1"))
        return {
            "external_url": f"https://{self.address}",
            "tls": {"cert_file": file, "key_file": file},
        }

    def token(self) -> str:
        """A new one for reading."""
        command = [sys.executable, "-m", "weighbridge", "token", "create"]
        done = subprocess.run(
            [*command, "--role", "read", "--database", self.database_url],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def tags(self, repository: str) -> dict[str, TagReport]:
        """Live ones."""
        with self.database.read() as connection:
            page = tag_page(connection, "near", repository, limit=1000)
        items = () if page is None else page.items
        return {tag.name: tag for tag in items if tag.deleted_at is None}

    def digest(self, repository: str, tag: str) -> Digest | None:
        """Of one live tag among however many; None where it is not there."""
        with self.database.read() as connection:
            return connection.execute(
                select(blobs.c.digest)
                .join(tags, tags.c.target_id == blobs.c.id)
                .join(repositories, repositories.c.id == tags.c.repository_id)
                .where(
                    repositories.c.name == repository,
                    tags.c.name == tag,
                    tags.c.deleted_at.is_(None),
                )
            ).scalar()

    def outcomes(self) -> dict[str, str]:
        """By repository and tag, `...` for a push that waits."""
        with self.database.read() as connection:
            rows = connection.execute(select(pushes).order_by(pushes.c.id)).all()
        return {
            f"{row.repository}:{row.tag or '@'}": row.outcome if row.done_at else "..."
            for row in rows
        }

    def is_crawled(self) -> bool:
        """Whether the registry was looked at as a whole."""
        with self.database.read() as connection:
            states = {one.name: one.state for one in registry_freshness(connection)}
        return states.get("near", "new") != "new"

    def waits(self) -> list[float]:
        """Seconds from the receipt of each push until its verdict was stored."""
        with self.database.read() as connection:
            rows = connection.execute(
                select(pushes.c.received_at, pushes.c.done_at)
                .where(pushes.c.done_at.is_not(None))
                .order_by(pushes.c.id)
            ).all()
        return [(row.done_at - row.received_at).total_seconds() for row in rows]

    def wait_for(
        self, condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S
    ) -> float:
        """Seconds until it was so."""
        began = time.monotonic()
        wait_in_thread(
            condition, what, deadline_s=within_s, seen=lambda: self.outcomes()
        )
        return time.monotonic() - began


@contextmanager
def a_push_stage(
    folder: Path,
    engine: Engine = "sqlite",
    authority: Authority | None = None,
    web: Mapping[str, object] | None = None,
    /,
    **config: object,
) -> Iterator[PushStage]:
    """A stage whose service does not run yet.

    authority: signs the service's certificate; None: plain HTTP on loopback
    web: keys of `web` beside those of TLS
    config: further top-level keys
    """
    address = free_address()
    with ExitStack() as stack:
        registry = stack.enter_context(
            notifying_registry(folder / "registry", address, authority)
        )
        url = stack.enter_context(a_database_url(folder, engine))
        database = open_database(url)
        stack.callback(database.close)
        yield PushStage(
            folder, registry, address, url, database, config, authority, web or {}
        )
