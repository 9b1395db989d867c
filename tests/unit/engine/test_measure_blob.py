"""How long a blob is by the registry's word, whatever a manifest claims."""

import asyncio
import gzip
import hashlib
import random
import struct
import threading

import pytest

from support.fake_registry import FakeRegistry
from support.images import GZIP_LAYER, TAR_LAYER, ZSTD_LAYER, a_layer
from weighbridge.domain.image.digest import digest_of
from weighbridge.domain.image.document import Layer
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.domain.size.weigh_image import uncompressed_size
from weighbridge.engine.measure import one_layer
from weighbridge.engine.measure.one_layer import measure_blob, measure_length
from weighbridge.errors import NotFound, RegistryError, TransportError
from weighbridge.ports.protocols import IS_URGENT, RangeAnswer

TAR_BYTES = 102_400
LARGE = gzip.compress(random.Random(1).randbytes(TAR_BYTES))  # noqa: S311 - data
SMALL = gzip.compress(bytes(TAR_BYTES))
BOMB = gzip.compress(bytes(62 * 1024 * 1024))


def held(content: bytes) -> FakeRegistry:
    return FakeRegistry(blobs={digest_of(content): content})


def claiming(claim: int, content: bytes = LARGE, kind: str = GZIP_LAYER) -> Layer:
    return Layer(kind, digest_of(content), claim)


async def measured(registry: FakeRegistry, layer: Layer) -> MeasuredBlob:
    return await measure_blob(registry, "shop/cart", layer)


@pytest.mark.parametrize("content", [LARGE, SMALL])
async def test_an_honest_layer_costs_one_range(content: bytes) -> None:
    registry = held(content)

    found = await measured(registry, claiming(len(content), content))

    assert found.registry_bytes == len(content)
    assert found.uncompressed.uncompressed_bytes == TAR_BYTES
    assert found.claim_reason == ""
    assert registry.asked.total() == registry.count("get_range") == 1


@pytest.mark.parametrize("content", [LARGE, SMALL])
@pytest.mark.parametrize("claim", [1, 72, 60_000, 66_000, 10**6, 2**44])
async def test_a_false_claim_is_measured_by_the_registrys_word(
    claim: int, content: bytes
) -> None:
    registry = held(content)

    found = await measured(registry, claiming(claim, content))

    assert found.registry_bytes == len(content)
    assert found.uncompressed.uncompressed_bytes == TAR_BYTES
    assert registry.asked.total() == registry.count("get_range") == 2


async def test_a_layer_that_claims_to_be_empty_is_asked_for_its_length() -> None:
    registry = held(LARGE)

    found = await measured(registry, claiming(0))

    assert found.registry_bytes == len(LARGE)
    assert found.uncompressed.uncompressed_bytes == TAR_BYTES
    assert registry.count("blob_length") == registry.count("get_range") == 1


async def test_an_encrypted_layer_costs_one_range() -> None:
    secret = hashlib.shake_128(b"key").digest(100_000)
    registry = held(secret)

    found = await measured(
        registry, claiming(len(secret), secret, kind=f"{GZIP_LAYER}+encrypted")
    )

    assert found.registry_bytes == len(secret)
    assert (found.seen, found.uncompressed.reason) == ("other", "encrypted")
    assert registry.asked.total() == registry.count("get_range") == 1


@pytest.mark.parametrize("kind", [ZSTD_LAYER, TAR_LAYER, f"{GZIP_LAYER}+encrypted"])
async def test_a_false_media_type_costs_one_range_more_and_changes_nothing(
    kind: str,
) -> None:
    honest, registry = held(LARGE), held(LARGE)

    true = await measured(honest, claiming(len(LARGE)))
    found = await measured(registry, claiming(len(LARGE), kind=kind))

    assert found.uncompressed == true.uncompressed
    assert (true.seen, found.seen) == ("gzip_end", "gzip")
    assert registry.asked.total() == registry.count("get_range") == 2


async def test_a_foreign_layer_that_the_registry_holds_is_an_ordinary_one() -> None:
    registry = held(LARGE)

    found = await measured(registry, claiming(1)._replace(is_foreign=True))

    assert found.registry_bytes == len(LARGE)
    assert found.uncompressed.uncompressed_bytes == TAR_BYTES
    assert found.claim_reason == ""


async def test_a_foreign_layer_that_the_registry_does_not_hold_stays_a_claim() -> None:
    registry = FakeRegistry()

    found = await measured(registry, a_layer("far", 1000, is_foreign=True))

    assert found.registry_bytes is None
    assert found.claim_reason == "not_found"
    assert registry.asked.total() == 1


async def test_a_layer_that_is_not_there_stays_a_claim() -> None:
    found = await measured(FakeRegistry(), a_layer("lost"))

    assert found.registry_bytes is None
    assert found.claim_reason == found.uncompressed.reason == "not_found"


@pytest.mark.parametrize(
    "error",
    [
        TransportError("timeout", code="deadline"),
        RegistryError("503", retryable=True),
        NotFound("the repository was deleted", code="name_unknown"),
    ],
)
async def test_what_may_pass_later_is_raised(error: TransportError) -> None:
    layer = a_layer("late")
    registry = FakeRegistry(breaks={("get_range", layer.digest): error})

    with pytest.raises(type(error)):
        await measured(registry, layer)


@pytest.mark.parametrize(
    "code", ["range_unsupported", "bad_content_range", "range_not_satisfiable"]
)
async def test_where_a_range_says_no_length_the_length_is_asked_for(code: str) -> None:
    layer = claiming(len(LARGE))
    registry = held(LARGE)
    registry.breaks["get_range", layer.digest] = RegistryError("no", code=code)

    found = await measured(registry, layer)

    assert found.registry_bytes == len(LARGE)
    assert found.uncompressed.reason == code
    assert registry.asked.total() == 2


async def test_a_registry_that_serves_no_parts_is_not_asked_for_them_again() -> None:
    layer = claiming(1)
    registry = FakeRegistry(lengths={layer.digest: 3_000_000})

    found = await measured(registry, layer)

    assert found.registry_bytes == 3_000_000
    assert found.uncompressed.reason == "range_unsupported"
    assert uncompressed_size(layer, found).high_bytes == 3_000_000 * 1032
    assert registry.asked.total() == 1


class Mute(FakeRegistry):
    """Serves no parts, and says no lengths."""

    async def get_range(
        self, repository: str, digest: str, first: int, last: int
    ) -> RangeAnswer:
        raise RegistryError("no parts", code="range_unsupported")

    async def blob_length(self, repository: str, digest: str) -> int | None:
        return None


async def test_without_the_registrys_word_a_claim_stays_a_claim() -> None:
    found = await measured(Mute(), a_layer("one", 1000))

    assert found.registry_bytes is None
    assert found.claim_reason == "no_length"


class Fickle(FakeRegistry):
    """Says another length each time."""

    async def get_range(
        self, repository: str, digest: str, first: int, last: int
    ) -> RangeAnswer:
        return RangeAnswer(b"", last + 10**6)


async def test_a_registry_that_contradicts_itself_gave_no_word() -> None:
    found = await measured(Fickle(), a_layer("one", 1000))

    assert found.registry_bytes is None
    assert found.claim_reason == "bad_content_range"


async def test_a_blob_of_an_artifact_is_asked_for_its_length_alone() -> None:
    registry = held(LARGE)

    found = await measure_length(registry, "shop/cart", claiming(5))

    assert found.registry_bytes == len(LARGE)
    assert registry.asked.total() == registry.count("blob_length") == 1


def a_bomb(name: int) -> bytes:
    """62 MiB in 63 kB, whose trailer says something else."""
    return BOMB[:-4] + struct.pack("<I", (2048 - name) * 512)


async def test_layers_that_inflate_do_not_hold_up_the_event_loop() -> None:
    bombs = [a_bomb(n) for n in range(50)]
    registry = FakeRegistry(blobs={digest_of(bomb): bomb for bomb in bombs})
    layers = [claiming(len(bomb), bomb) for bomb in bombs]
    threads: set[str] = set()
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1
            threads.update(thread.name for thread in threading.enumerate())

    others = asyncio.create_task(take_turns())
    found = await asyncio.gather(*(measured(registry, layer) for layer in layers))
    others.cancel()

    assert {each.uncompressed.reason for each in found} == {"implausible_isize"}
    assert turns > len(layers)
    assert len([name for name in threads if name.startswith("inflate")]) == 1


async def test_a_push_does_not_wait_for_a_crawls_layers_to_be_decompressed() -> None:
    registry = FakeRegistry(blobs={digest_of(SMALL): SMALL})
    may_go_on = threading.Event()
    crawled = asyncio.get_running_loop().run_in_executor(
        one_layer._INFLATER, may_go_on.wait
    )

    IS_URGENT.set(True)
    found = await measured(registry, claiming(len(SMALL), SMALL))

    assert found.uncompressed.confidence == "exact"
    assert not crawled.done()
    may_go_on.set()
    await crawled
