"""What a neighbour claims of a layer counts for his own image alone: media type,
annotated size and whether it is foreign, whoever is crawled first."""

import gzip
import io
import random
import tarfile
import zlib

import pytest
import zstandard

from support.crawling import Yard
from support.fake_registry import FakeRegistry
from support.images import (
    DOCKER_LAYER,
    GZIP_LAYER,
    TAR_LAYER,
    ZSTD_LAYER,
    a_layer,
    a_served_image,
)
from support.store_world import T0
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.document import Layer
from weighbridge.domain.size.weighing import WeighedImage, WeighedLayer
from weighbridge.store.maintenance.checking.verify import verify
from weighbridge.store.reports.weighings import find_weighing
from weighbridge.store.session import Database

HONEST, EVIL = "shop/api", "evil/x"


def a_tar() -> bytes:
    content = random.Random(1).randbytes(100_000)  # noqa: S311 - data
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


TAR = a_tar()
GZIP = gzip.compress(TAR)
SEEKABLE = GZIP + gzip.compress(b"")
SECRET = random.Random(2).randbytes(100_000)  # noqa: S311 - data
ENCRYPTED = f"{GZIP_LAYER}+encrypted"


def misleading_zstd() -> bytes:
    """One that ends as a gzip layer may: its last bytes say a tar's length."""
    end = zlib.crc32(b"").to_bytes(4, "little") + len(TAR).to_bytes(4, "little")
    skippable = b"\x50\x2a\x4d\x18" + (len(end) + 80).to_bytes(4, "little")
    return zstandard.compress(TAR) + skippable + bytes(range(80)) + end


MISLEADING = misleading_zstd()


def claim(
    content: bytes,
    kind: str = GZIP_LAYER,
    annotated: int | None = None,
    *,
    is_foreign: bool = False,
) -> Layer:
    return Layer(kind, digest_of(content), len(content), is_foreign, annotated)


class Street:
    """A registry of an honest and an evil repository, crawled into a database."""

    def __init__(self, database: Database) -> None:
        self.yard = Yard(database)
        self.registry = FakeRegistry()

    async def push(self, name: str, layer: Layer, content: bytes | None) -> int:
        """Push an image of this layer and crawl. Returns how many ranges were asked."""
        self.put(name, layer, content)
        before = self.registry.count("get_range")
        await self.yard.crawl(self.registry, measure=True)
        return self.registry.count("get_range") - before

    def put(self, name: str, layer: Layer, content: bytes | None) -> None:
        if content is not None:
            self.registry.blobs[layer.digest] = content
        # What a repository has of its own makes its image one of its own.
        own = a_layer(name, 1)
        self.registry.put(name, "1", a_served_image([layer, own]))
        if content is None:
            self.registry.lengths.pop(layer.digest, None)

    def image(self, name: str) -> WeighedImage:
        with self.yard.database.read() as connection:
            found = find_weighing(connection, "fake", name, tag="1", now=T0)
        assert found is not None
        return found.images[0]

    def layer(self, name: str) -> WeighedLayer:
        return self.image(name).layers[0]

    def size(self, name: str) -> tuple[str, int | None, str]:
        found = self.layer(name).uncompressed
        assert found is not None
        return found.confidence, found.uncompressed_bytes, found.reason

    def check(self) -> None:
        """What is kept is what a recount makes of it."""
        database, now = self.yard.database, self.yard.now
        assert list(verify(database, {}, now, lambda *_: None)) == []


@pytest.fixture
def street(database: Database) -> Street:
    return Street(database)


ORDERS = ["evil first", "honest first", "at once"]


async def live(
    street: Street, order: str, honest: Layer, evil: Layer, content: bytes | None
) -> int:
    """Both push in this order. Returns how many ranges were asked for, those of the
    two layers of their own left out."""
    if order == "at once":
        street.put(EVIL, evil, content)
        return await street.push(HONEST, honest, content) - 2
    pushes = [(EVIL, evil), (HONEST, honest)]
    if order == "honest first":
        pushes.reverse()
    return sum([await street.push(n, y, content) - 1 for n, y in pushes])


SHOWN = {
    "gzip": (GZIP, GZIP_LAYER, ("trailer", len(TAR), "")),
    "zstd": (
        zstandard.compress(TAR),
        ZSTD_LAYER,
        ("estimate", len(TAR), "unseen_frames"),
    ),
    "tar": (TAR, TAR_LAYER, ("exact", len(TAR), "")),
    "encrypted": (SECRET, ENCRYPTED, ("unknown", None, "encrypted")),
    "zstd that ends as gzip": (
        MISLEADING,
        ZSTD_LAYER,
        ("estimate", len(TAR), "unseen_frames"),
    ),
}


LIES = [
    pytest.param(kind, lie, id=f"{kind} called {lie.rpartition('.')[2]}")
    for kind, (_, media_type, _) in SHOWN.items()
    for lie in (GZIP_LAYER, ZSTD_LAYER, TAR_LAYER, ENCRYPTED)
    if lie != media_type
]


@pytest.mark.slow
@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("kind", "lie"), LIES)
async def test_a_neighbours_media_type_changes_his_own_image_alone(
    street: Street, order: str, kind: str, lie: str
) -> None:
    content, media_type, shown = SHOWN[kind]

    await live(street, order, claim(content, media_type), claim(content, lie), content)

    assert street.size(HONEST) == shown
    assert street.size(EVIL) == ("unknown", None, "format_mismatch")
    assert street.layer(HONEST).media_type == media_type
    assert street.layer(EVIL).media_type == lie
    assert street.image(EVIL).uncompressed.confidence == "unknown"
    street.check()


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("lie", [10**6, len(TAR) * 3])
async def test_a_neighbours_annotation_is_taken_for_his_own_image_alone(
    street: Street, order: str, lie: int
) -> None:
    honest, evil = claim(SEEKABLE), claim(SEEKABLE, annotated=lie)

    await live(street, order, honest, evil, SEEKABLE)

    assert street.size(HONEST) == ("unknown", None, "multi_member")
    assert street.size(EVIL) == ("annotation", lie, "multi_member")
    street.check()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.long_on("postgresql")  # the rest of this file has it
async def test_a_neighbours_annotation_takes_the_place_of_no_honest_one(
    street: Street, order: str
) -> None:
    honest = claim(SEEKABLE, annotated=len(TAR))
    evil = claim(SEEKABLE, annotated=10**6)

    await live(street, order, honest, evil, SEEKABLE)

    assert street.size(HONEST) == ("annotation", len(TAR), "multi_member")
    assert street.size(EVIL) == ("annotation", 10**6, "multi_member")
    street.check()


@pytest.mark.parametrize("order", ORDERS)
async def test_a_layer_that_a_neighbour_calls_foreign_is_measured_for_all(
    street: Street, order: str
) -> None:
    await live(street, order, claim(GZIP), claim(GZIP, is_foreign=True), GZIP)

    for name in (HONEST, EVIL):
        assert street.size(name) == ("trailer", len(TAR), "")
        assert not street.layer(name).is_foreign
    street.check()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.long_on("postgresql")  # the rest of this file has it
async def test_a_foreign_layer_stays_foreign_where_a_neighbour_says_it_is_here(
    street: Street, order: str
) -> None:
    await live(street, order, claim(GZIP, is_foreign=True), claim(GZIP), None)

    honest, evil = street.layer(HONEST), street.layer(EVIL)
    assert (honest.is_foreign, honest.claim_reason) == (True, "foreign")
    assert (evil.is_foreign, evil.claim_reason) == (False, "not_found")
    street.check()


async def test_a_layer_called_foreign_before_it_was_pushed_is_asked_for_then(
    street: Street,
) -> None:
    await street.push(EVIL, claim(GZIP, is_foreign=True), None)
    assert street.layer(EVIL).is_foreign
    # That it is not here is as it should be: it is not asked for again.
    before = street.registry.count("blob_length")
    await street.yard.crawl(street.registry, measure=True)
    assert street.registry.count("blob_length") == before

    await street.push(HONEST, claim(GZIP), GZIP)

    for name in (HONEST, EVIL):
        assert street.size(name) == ("trailer", len(TAR), "")
    street.check()


@pytest.mark.parametrize(
    ("order", "lie", "ranges"),
    [
        pytest.param("honest first", GZIP_LAYER, 1, id="no-lie"),
        pytest.param("at once", DOCKER_LAYER, 1, id="another-name-for-gzip"),
        pytest.param("evil first", DOCKER_LAYER, 1, id="another-name-before"),
        pytest.param("at once", ZSTD_LAYER, 2, id="at-once"),
        pytest.param("evil first", ZSTD_LAYER, 2, id="lie-before"),
        pytest.param("honest first", ZSTD_LAYER, 3, id="lie-after"),
        pytest.param("honest first", ENCRYPTED, 3, id="encrypted-after"),
    ],
)
@pytest.mark.long_on("postgresql")  # the rest of this file has it
async def test_only_a_false_media_type_costs_requests(
    street: Street, order: str, lie: str, ranges: int
) -> None:
    asked = await live(street, order, claim(GZIP), claim(GZIP, lie), GZIP)

    assert asked == ranges
    before = street.registry.asked.copy()
    await street.yard.crawl(street.registry, measure=True)
    again = street.registry.asked - before
    assert not [operation for operation, _ in again if operation == "get_range"]
