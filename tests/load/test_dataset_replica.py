"""5,007 recorded manifests, crawled from a registry and held against brute force."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from support.replica.brute_force import count_by_brute_force
from support.replica.dataset import DatasetContent, dataset_content
from support.replica.process import dataset_replica
from support.replica.stored import (
    Counted,
    StoredImage,
    counted,
    foreign_blobs,
    scopes,
    shares,
    stored_artifacts,
    stored_images,
)
from support.replica.synthesised import Documents
from support.replica.totals import RegistryTotals
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.platform import normalised
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl

pytestmark = pytest.mark.timeout(1_800)


@dataclass(frozen=True, slots=True)
class Crawled:
    """What one crawl did, and what the registry was asked meanwhile."""

    database_url: str
    done: RegistryCrawl
    asked: Mapping[str, int]


@pytest.fixture(scope="module")
def content() -> DatasetContent:
    return dataset_content()


@pytest.fixture(scope="module")
def expected(content: DatasetContent) -> RegistryTotals:
    return count_by_brute_force(content)


@pytest.fixture(scope="module")
def crawled(content: DatasetContent, database_url: str) -> Iterator[Crawled]:
    """The whole data set after one crawl that measured nothing."""
    settings = load_settings(None, {}, KINDS, database_url=database_url)
    with dataset_replica() as replica:
        done = crawl(settings, [replica.address], measure=False, progress=Progress())
        yield Crawled(database_url, done.registries[0], replica.counts())


def test_nothing_of_the_data_set_is_left_out(
    crawled: Crawled, content: DatasetContent, expected: RegistryTotals
) -> None:
    done = crawled.done

    assert done.faults == ()
    assert done.state == "ok"
    assert (done.repositories, done.complete) == (173, 173)
    assert (done.tags, done.images) == (expected.tags, expected.images)
    assert done.weighed_bytes == expected.weighed_bytes
    assert len(content.documents) == 5_007


def test_no_document_is_asked_for_twice_and_no_layer_of_an_image_at_all(
    crawled: Crawled, content: DatasetContent
) -> None:
    """What only calls itself an attestation is believed after a look at the beginning
    of what it holds. Repositories are crawled side by side: of a config that several
    have, two may ask in the same moment."""
    configs = {d.config_digest for d in content.documents}
    attestations = {d.manifest.digest for d in content.documents if not is_image(d)}

    twice = crawled.asked["get_blob"] - len(configs)
    assert 0 <= twice < len(configs) / 100
    assert crawled.asked["get_range"] == len(attestations)
    assert not crawled.asked.keys() & {"get_layer", "head_blob", "other"}


def test_every_platform_weighs_what_was_recorded(
    crawled: Crawled, content: DatasetContent
) -> None:
    stored = stored_images(crawled.database_url)

    expected = {d.manifest.digest: expected_row(d) for d in content.documents}
    assert {
        digest: (
            image.platform,
            image.compressed_bytes,
            image.stored_bytes,
            image.layers,
        )
        for digest, image in stored.items()
    } == {
        d.manifest.digest: expected[d.manifest.digest]
        for d in content.documents
        if is_image(d)
    }


def test_only_repeated_layers_tell_a_recorded_sum_from_what_a_pull_moves(
    content: DatasetContent,
) -> None:
    """The recorded sums count a layer each time that a manifest lists it."""
    records = [documents.record for documents in content.documents]

    differing = [r for r in records if r.compressed_bytes != r.total_bytes]

    assert [r.repository for r in differing] == ["repo-info-2018/hipache"] * 2
    for record in records:
        listed = sum(layer.compressed_bytes for layer in record.layers)
        assert listed == record.total_bytes


def test_every_history_that_was_recorded_whole_is_aligned(
    crawled: Crawled, content: DatasetContent
) -> None:
    """But for two images of a builder that committed a layer for each line, CMD and
    EXPOSE included, which nothing in the documents says."""
    stored = stored_images(crawled.database_url)

    unresolved = {
        documents.record.repository
        for documents in content.documents
        if documents.record.history_alignment.startswith("exact")
        and alignment(stored, documents) == "unresolved"
    }

    assert unresolved <= {"repo-info-2018/hipache"}


def test_the_attestations_are_no_images(
    crawled: Crawled, content: DatasetContent
) -> None:
    attestations = {d.manifest.digest for d in content.documents if not is_image(d)}

    assert len(attestations) == 15
    assert not attestations & stored_images(crawled.database_url).keys()
    assert stored_artifacts(crawled.database_url) == dict.fromkeys(
        attestations, "attestation"
    )


def test_foreign_layers_are_known_by_name_only(
    crawled: Crawled, content: DatasetContent
) -> None:
    foreign = {
        layer.digest
        for documents in content.documents
        for layer in documents.record.layers
        if layer.is_foreign
    }

    assert len(foreign) == 9
    assert foreign_blobs(crawled.database_url) == foreign


def test_every_repository_counts_what_brute_force_counts(
    crawled: Crawled, expected: RegistryTotals
) -> None:
    assert counted(crawled.database_url) == {
        name: Counted(r.tags, r.images, r.referenced_bytes, r.weighed_bytes)
        for name, r in expected.repositories.items()
    }


def test_every_repository_holds_and_frees_what_brute_force_says(
    crawled: Crawled, expected: RegistryTotals
) -> None:
    assert shares(crawled.database_url) == {
        name: (r.deduplicated_bytes, r.exclusive_bytes)
        for name, r in expected.repositories.items()
    }


def test_the_registry_keeps_what_brute_force_says(
    crawled: Crawled, expected: RegistryTotals
) -> None:
    assert scopes(crawled.database_url) == {
        "": (
            expected.images,
            expected.weighed_bytes,
            expected.deduplicated_bytes,
            expected.shared_bytes,
        )
    }


def is_image(documents: Documents) -> bool:
    return not documents.record.is_attestation


def expected_row(documents: Documents) -> tuple[str, int, int, int]:
    """Platform, compressed bytes, stored bytes and number of layers."""
    record = documents.record
    said = record.platform
    platform = normalised(
        said["os"],
        said["architecture"],
        said.get("variant", ""),
        said.get("os.version", ""),
    )
    kept = {y.digest: y.compressed_bytes for y in record.layers if not y.is_foreign}
    documents_bytes = len(documents.manifest.content) + len(documents.config)
    return (
        str(platform),
        record.compressed_bytes,
        documents_bytes + sum(kept.values()),
        len(record.layers),
    )


def alignment(stored: Mapping[Digest, StoredImage], documents: Documents) -> str | None:
    """None of what is no image."""
    image = stored.get(documents.manifest.digest)
    return None if image is None else image.history_alignment
