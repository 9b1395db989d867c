"""Two workers crawl one large repository together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select

from support.database_dump import assert_same, dump_of, dump_of_url
from support.images import a_layer, an_artifact
from support.worker_crew import Crew, a_crew
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import RegistrySettings, load_settings
from weighbridge.demo.content.stored_documents import Served
from weighbridge.demo.content.virtual_blobs import Blob
from weighbridge.demo.http.server import RunningDemo
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.store.models import crawl_chunks

TAGS: Final = 4_000
NAME: Final = "acme/large"


@dataclass
class Large:
    """A registry of one repository."""

    names: Sequence[str] = field(
        default_factory=lambda: [f"t{n:05}" for n in range(TAGS)]
    )
    manifests: dict[str, Served] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, name in enumerate(self.names):
            made = an_artifact(f"application/x-{number}", [a_layer("same", 700)])
            served = Served(made.raw, made.media_type, made.digest)
            self.manifests[name] = self.manifests[made.digest] = served

    def repositories(self) -> Sequence[str]:
        return [NAME]

    def tags(self, repository: str) -> Sequence[str] | None:
        return self.names if repository == NAME else None

    def manifest(self, repository: str, reference: str) -> Served | None:
        return self.manifests.get(reference) if repository == NAME else None

    def blob(self, repository: str, digest: str) -> Blob | None:
        return None


def processes(crew: Crew) -> set[str]:
    """Those that have taken chunks."""
    with crew.database.read() as connection:
        owners = connection.execute(select(crawl_chunks.c.lease_owner)).scalars()
        return {owner.partition("/")[0] for owner in owners if owner}


@pytest.mark.long  # 20 s; tests/unit/engine has the rules
def test_two_workers_share_a_large_repository(tmp_path: Path) -> None:
    running = RunningDemo(Large())
    try:
        alone = f"sqlite:///{tmp_path / 'alone.db'}"
        settings = load_settings(None, {}, KINDS, database_url=alone).model_copy(
            update={"registries": (RegistrySettings(name="near", url=running.url),)}
        )
        crawl(settings, [], measure=True, progress=Progress())
        asked_alone = running.server.requests.total()
        with a_crew(tmp_path, running.url) as crew:
            workers = [crew.single_worker(), crew.single_worker()]
            crew.wait_for(
                lambda: all(worker.has_begun(1) for worker in workers),
                "both wait for work",
            )
            crew.enqueue_tick()
            seen: set[str] = set()

            def is_through() -> bool:
                seen.update(processes(crew))
                return crew.is_through(1)

            crew.wait_for(is_through, "everything is looked at")
            asked = running.server.requests.total() - asked_alone
            ended = [worker.stop() for worker in workers]

            assert_same(dump_of_url(alone), dump_of(crew.database))
            assert len(seen) == 2
            assert asked <= 1.01 * asked_alone
            assert ended == [0, 0], crew.logs
    finally:
        running.close()
