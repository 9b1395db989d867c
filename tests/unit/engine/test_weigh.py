"""Weighing one reference: what a hostile index or listing may cost."""

import pytest

from support.fake_registry import FakeRegistry
from support.images import (
    OCI_INDEX,
    a_manifest,
    a_served_image,
    an_index,
    descriptor_json,
)
from weighbridge.domain.image.reference import parse_reference
from weighbridge.engine.weigh.weigh import weigh
from weighbridge.errors import DocumentError, NotFound

APP = parse_reference("registry.example/app:1")


async def test_an_index_that_is_named_sixty_times_is_asked_once() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    inner = an_index([image.manifest])
    middle = an_index([inner] * 60)
    registry.hold(image, inner, middle)
    registry.put("app", "1", an_index([middle] * 60))

    weighing = await weigh(registry, APP)

    assert [i.digest for i in weighing.images] == [image.manifest.digest]
    assert registry.count("get_manifest") == 4


async def test_a_child_without_a_platform_is_asked_once() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    registry.hold(image)
    entry = descriptor_json(image.manifest)
    entry.pop("platform", None)
    registry.put("app", "1", an_index([entry] * 60))

    await weigh(registry, APP)

    assert registry.count("get_manifest") == 2


async def test_indexes_of_indexes_lead_to_a_thousand_manifests_at_most() -> None:
    registry = FakeRegistry()
    entry = descriptor_json(a_manifest())
    wide = [
        an_index([entry | {"digest": f"sha256:{n:032x}{m:032x}"} for m in range(100)])
        for n in range(100)
    ]
    registry.hold(*wide)
    registry.put("app", "1", an_index(wide))

    with pytest.raises(DocumentError) as refused:
        await weigh(registry, APP)

    assert refused.value.code == "index_too_large"
    assert registry.count("get_manifest") <= 1001


async def test_many_indexes_that_are_too_deep_are_one_warning() -> None:
    registry = FakeRegistry()
    image = a_served_image()
    entry = descriptor_json(image.manifest) | {"mediaType": OCI_INDEX}
    deep = an_index([entry | {"digest": f"sha256:{n:064x}"} for n in range(50)])
    registry.hold(image, deep)
    for _ in range(2):
        deep = an_index([deep, image.manifest])
        registry.hold(deep)
    registry.put("app", "1", deep)

    weighing = await weigh(registry, APP)

    assert len([w for w in weighing.warnings if "index_too_deep" in w]) == 1


async def test_of_a_huge_page_only_ten_thousand_tags_are_compared() -> None:
    registry = FakeRegistry(page_length=11_000)
    digest = a_manifest().digest
    names = [*(f"{n:05}" for n in range(10_000)), "99998-late"]
    registry.tags_by_repository["app"] = dict.fromkeys(names, digest)
    wanted = parse_reference("registry.example/app:99998-later")

    with pytest.raises(NotFound) as missing:
        await weigh(registry, wanted)

    assert "99998-late" not in missing.value.hint


async def test_a_repository_that_does_not_exist_is_not_called_a_missing_tag() -> None:
    registry = FakeRegistry()
    registry.put("other", "1", a_served_image())

    with pytest.raises(NotFound) as missing:
        await weigh(registry, APP)

    assert missing.value.code == "name_unknown"
    assert missing.value.message == "the registry does not know this repository"
    assert missing.value.hint == "check its spelling: app"
