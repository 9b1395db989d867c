"""The bases of recorded images, found by a crawl of all of them: held against what
their Dockerfiles say, and against the digests that their builder wrote down."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select

from support.replica.dataset import DatasetContent, dataset_content
from support.replica.process import dataset_replica
from support.replica.records import Record
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.store.bases.image_bases import load_bases
from weighbridge.store.models import base_names, blobs, image_bases
from weighbridge.store.session import open_database

pytestmark = pytest.mark.timeout(1_800)

_SOURCES: Final = ("repo-info-2018/*", "mcr-2026/*")
_REGISTRY: Final = "r"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of each image, by the digest that it is served with.

    names: digests of the manifests and indexes by which each image's base is known
    """

    bases: Mapping[Digest, BaseInWords]
    names: Mapping[Digest, frozenset[Digest]]


@pytest.fixture(scope="module")
def content() -> DatasetContent:
    return dataset_content(_SOURCES)


@pytest.fixture(scope="module")
def found(
    content: DatasetContent,
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Found:
    """After one crawl, in which every repository's images are bases."""
    path = tmp_path_factory.mktemp("bases") / "weighbridge.yaml"
    with dataset_replica(_SOURCES) as replica:
        _write(path, replica.address, content.repositories())
        settings = load_settings(str(path), {}, KINDS, database_url=database_url)
        done = crawl(settings, [_REGISTRY], measure=False, progress=Progress())
        assert done.registries[0].faults == ()
    return _read(database_url)


def _write(path: Path, address: str, repositories: Sequence[str]) -> None:
    bases = [f"  - {_REGISTRY}/{name}" for name in repositories]
    lines = [
        "registries:",
        f"  - {{name: {_REGISTRY}, url: 'http://{address}', mirror_of: docker.io}}",
        "bases:",
        "  repositories:",
        *bases,
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def _read(database_url: str) -> Found:
    database = open_database(database_url)
    try:
        with database.read() as connection:
            statement = select(
                blobs.c.digest, image_bases.c.image_id, image_bases.c.base_chain_id
            ).join(blobs, blobs.c.id == image_bases.c.image_id)
            rows = connection.execute(statement).all()
            ids = [row.image_id for row in rows]
            bases = load_bases(connection, ids, datetime.now(UTC))
            named: dict[int, set[Digest]] = {}
            for chain, *digests in connection.execute(
                select(
                    base_names.c.base_chain_id,
                    base_names.c.digest,
                    base_names.c.index_digest,
                )
            ):
                named.setdefault(chain, set()).update(d for d in digests if d)
    finally:
        database.close()
    return Found(
        {row.digest: bases[row.image_id] for row in rows if row.image_id in bases},
        {row.digest: frozenset(named.get(row.base_chain_id, ())) for row in rows},
    )


def _from(record: Record) -> tuple[str, str]:
    """Repository and reference of the FROM, by the names that the replica has."""
    assert record.dockerfile_from is not None
    name, _, tag = record.dockerfile_from.partition(":")
    repository = f"repo-info-2018/{name}"
    return repository, f"{repository}:{tag or 'latest'}"


def _platform(record: Record) -> tuple[str, ...]:
    said = record.platform
    return said["os"], said["architecture"], said.get("variant", "")


def test_official_images_are_on_what_their_dockerfiles_name(
    content: DatasetContent, found: Found
) -> None:
    """At least 96 in 100; each other one is printed with the reason (`-s`), and none is
    said to stand on what it does not stand on."""
    tags = {
        (f"{d.record.repository}:{tag}", _platform(d.record))
        for d in content.documents
        for tag in (*d.record.index_tags, *d.record.manifest_tags)
    }
    repositories = {d.record.repository for d in content.documents}
    judged: Counter[str] = Counter()
    wrong = []
    for documents in content.documents:
        record = documents.record
        if record.dockerfile_from is None:
            continue
        repository, reference = _from(record)
        base = found.bases.get(documents.manifest.digest)
        is_there = (reference, _platform(record)) in tags
        if base is None:
            reason = (
                "none found, though it is in the set"
                if is_there
                else "its tag is not in the set any more"
                if repository in repositories
                else "its repository is not in the set"
            )
        elif reference in (base.reference, *base.also):
            reason = "named" if base.relation == "base" else "named as a relative"
        elif base.relation == "relative":
            reason = "a relative alone is in the set"
        elif is_there and base.reference.rpartition(":")[0] == repository:
            reason = "built before its Dockerfile moved to another tag of its base"
        else:
            reason = "wrong"
            wrong.append((record.repository, record.index_tags, base))
        judged[reason] += 1
        if reason != "named":
            print(
                f"{record.repository}:{record.index_tags or record.manifest_tags}"
                f" {'/'.join(_platform(record))} FROM {record.dockerfile_from}:"
                f" {reason}; found {base}"
            )
    print(judged)

    assert wrong == []
    assert judged.total() == 1_907
    assert judged["named"] / judged.total() >= 0.96
    assert judged == {
        "named": 1_834,
        "its repository is not in the set": 55,
        "its tag is not in the set any more": 16,
        "a relative alone is in the set": 1,
        "built before its Dockerfile moved to another tag of its base": 1,
    }


def test_images_of_dotnet_are_on_the_manifest_that_was_written_down(
    content: DatasetContent, found: Found
) -> None:
    """1,101 name a manifest that is in the set; 353 name something else, of which 23
    are an index that is. No line of their history was recorded: layers alone tell."""
    served = {d.record.manifest_digest: d.manifest.digest for d in content.documents}
    indexes: dict[str, set[Digest]] = {}
    for documents in content.documents:
        if (index := documents.record.index_digest) is not None:
            indexes.setdefault(index, set()).add(documents.manifest.digest)
    judged: Counter[tuple[str, str]] = Counter()
    for documents in content.documents:
        record = documents.record
        if record.base_digest is None:
            continue
        digest = documents.manifest.digest
        base = found.bases.get(digest)
        if record.base_digest in served:
            kind, right = "manifest", {served[record.base_digest]}
        elif record.base_digest in indexes:
            kind, right = "index", indexes[record.base_digest]
        else:
            kind, right = "not in the set", set()
        if base is None:
            verdict = "none"
        elif base.relation == "relative":
            verdict = "relative"
        else:
            verdict = "right" if right & found.names[digest] else "wrong"
        judged[kind, verdict] += 1
    print(judged)

    assert judged == {
        ("manifest", "right"): 1_101,
        ("index", "right"): 23,
        ("index", "none"): 3,
        ("not in the set", "none"): 327,
    }
