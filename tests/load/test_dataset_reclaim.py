"""The official images of 2018, crawled from a registry: what deleting tags frees, held
against brute force for every tag and every image of five repositories."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import pytest

from support.replica.brute_force import Reached, reached_by_tags
from support.replica.dataset import DatasetContent, dataset_content
from support.replica.process import dataset_replica
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.reclaim.reclaim_report import Freed, ReclaimReport
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.store.reports.inventory import registry_reports
from weighbridge.store.reports.reclaim import reclaim_tags
from weighbridge.store.reports.repositories import find_repository
from weighbridge.store.session import Connection, open_database

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800)]

SOURCE = "repo-info-2018"
NAMES = ("python", "node", "golang", "nginx", "openjdk")


@pytest.fixture(scope="module")
def content() -> DatasetContent:
    return dataset_content([f"{SOURCE}/*"])


@pytest.fixture(scope="module")
def reached(content: DatasetContent) -> Reached:
    return reached_by_tags(content)


@pytest.fixture(scope="module")
def connection(content: DatasetContent, database_url: str) -> Iterator[Connection]:
    """After one crawl that measured nothing."""
    settings = load_settings(None, {}, KINDS, database_url=database_url)
    with dataset_replica([f"{SOURCE}/*"]) as replica:
        crawl(settings, [replica.address], measure=False, progress=Progress())
    database = open_database(database_url)
    with database.read() as opened:
        yield opened
    database.close()


def report_of(
    connection: Connection, name: str, tags: Sequence[str]
) -> tuple[ReclaimReport, Freed]:
    (registry,) = registry_reports(connection)
    repository = find_repository(connection, registry.name, f"{SOURCE}/{name}")
    assert repository is not None
    assert registry.last_success_at is not None
    report = reclaim_tags(connection, repository, tags, registry.last_success_at)
    assert report.freed is not None, report.reason
    return report, report.freed


def tags_of(content: DatasetContent, name: str) -> Sequence[str]:
    found = content.tags(f"{SOURCE}/{name}")
    assert found is not None
    return found


def groups_of(content: DatasetContent, name: str) -> list[list[str]]:
    """The tags of each manifest or index that is named."""
    groups = defaultdict(list)
    for tag in tags_of(content, name):
        served = content.manifest(f"{SOURCE}/{name}", tag)
        assert served is not None
        groups[served.digest].append(tag)
    return [*groups.values()]


def test_the_registry_stores_what_was_recorded(
    content: DatasetContent, connection: Connection, reached: Reached
) -> None:
    """Layers: stored each once, foreign ones each once, over manifests, and over tags
    and their platforms."""
    layers = [
        {layer.digest: layer.compressed_bytes for layer in record.layers}
        for record in (documents.record for documents in content.documents)
    ]
    foreign = {
        layer.digest: layer.compressed_bytes
        for documents in content.documents
        for layer in documents.record.layers
        if layer.is_foreign
    }
    every = {digest: size for image in layers for digest, size in image.items()}
    stored = sum(every.values()) - sum(foreign.values())
    documents_bytes = sum(
        size for digest, size in reached.sizes.items() if digest not in every
    )

    (registry,) = registry_reports(connection)

    assert round(stored / 1e9, 1) == 162.2
    assert round(sum(foreign.values()) / 1e9, 1) == 9.5
    assert registry.deduplicated_bytes == stored + documents_bytes
    assert registry.weighed_bytes == 635_291_942_921
    of_python = tags_of(content, "python")
    assert len(of_python) == 164
    images = {d.manifest.digest for d in content.documents if is_of(d, "python")}
    assert len(images) == 176
    over_tags = sum(
        sum({y.digest: y.compressed_bytes for y in d.record.layers}.values())
        * len({*d.record.index_tags, *d.record.manifest_tags})
        for d in content.documents
    )
    assert round(over_tags / 1e12, 2) == 2.62


def is_of(documents: object, name: str) -> bool:
    record = getattr(documents, "record", None)
    return record is not None and record.repository == f"{SOURCE}/{name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_tag_alone_frees_what_brute_force_says(
    content: DatasetContent, connection: Connection, reached: Reached, name: str
) -> None:
    repository = f"{SOURCE}/{name}"
    for tag in tags_of(content, name):
        _, freed = report_of(connection, name, [tag])

        assert freed.freed_bytes == reached.freed_by(repository, [tag])
        assert set(freed.manifests) == reached.left_by(repository, [tag])


@pytest.mark.parametrize("name", NAMES)
def test_every_group_of_tags_frees_what_brute_force_says(
    content: DatasetContent, connection: Connection, reached: Reached, name: str
) -> None:
    repository = f"{SOURCE}/{name}"
    report, freed = report_of(connection, name, tags_of(content, name))
    alone = {tuple(group.tags): group.freed_bytes for group in report.groups}

    for tags in groups_of(content, name):
        expected = reached.freed_by(repository, tags)
        _, of_group = report_of(connection, name, tags)

        assert of_group.freed_bytes == expected
        assert alone[tuple(sorted(tags))] == expected
    assert freed.freed_bytes == reached.freed_by(repository, tags_of(content, name))


# The tags of the recorded registry lead to indexes of several platforms; what of them
# leaves the repository, and what is freed of it, layers alone.
@pytest.mark.parametrize(
    ("doomed", "leaves", "freed_bytes"),
    [
        (lambda tag: not tag.startswith("3.6"), 3_188_238_545, 2_470_557_352),
        (lambda tag: True, 8_607_844_020, 3_495_913_992),
        (
            lambda tag: tag.startswith(("2.7", "2-")) or tag == "2",
            1_052_992_042,
            1_033_374_531,
        ),
        (lambda tag: tag.startswith("3.7"), 0, 0),
    ],
    ids=["all but 3.6", "all", "2", "3.7"],
)
def test_the_figures_of_python_are_those_that_were_counted_from_the_records(
    content: DatasetContent,
    connection: Connection,
    reached: Reached,
    doomed: object,
    leaves: int,
    freed_bytes: int,
) -> None:
    assert callable(doomed)
    tags = [tag for tag in tags_of(content, "python") if doomed(tag)]
    gone = {(f"{SOURCE}/python", tag) for tag in tags}
    layers = {y.digest for d in content.documents for y in d.record.layers}
    documents = [d for d in reached.sizes if d not in layers]

    _, freed = report_of(connection, "python", tags)

    own = {
        d: {t for t in reached.tags[d] if t[0] == f"{SOURCE}/python"} for d in documents
    }
    left = sum(reached.sizes[d] for d in documents if own[d] and own[d] <= gone)
    free = sum(reached.sizes[d] for d in documents if reached.tags[d] <= gone)
    assert freed.freed_bytes - free == freed_bytes
    assert freed.freed_bytes + freed.elsewhere_bytes - left == leaves


@pytest.mark.parametrize("name", NAMES)
def test_every_set_of_tags_frees_what_brute_force_says(
    content: DatasetContent, connection: Connection, reached: Reached, name: str
) -> None:
    """Those that begin alike, as people choose them."""
    tags = tags_of(content, name)
    beginnings = Counter(tag[:length] for tag in tags for length in (1, 2, 3, 4))
    for beginning in beginnings:
        some = [tag for tag in tags if tag.startswith(beginning)]
        _, freed = report_of(connection, name, some)

        assert freed.freed_bytes == reached.freed_by(f"{SOURCE}/{name}", some)
