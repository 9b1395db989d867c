"""Layers that two images share are asked for once."""

from support.fake_registry import FakeRegistry
from support.images import a_layer, a_served_image
from weighbridge.domain.image.reference import parse_reference
from weighbridge.engine.weigh.weigh import MeasuredOnce, weigh


async def test_two_images_of_one_base_ask_for_it_once() -> None:
    registry = FakeRegistry()
    base = a_layer("base", 70_000)
    for tag in ("1", "2"):
        registry.put("app", tag, a_served_image([base, a_layer(tag, 80_000)]))
    once = MeasuredOnce(registry)

    for tag in ("1", "2"):
        reference = parse_reference(f"registry.example/app:{tag}")
        await weigh(registry, reference, measure=once.measure)

    assert registry.count("get_range") == 3


async def test_a_layer_that_another_manifest_describes_otherwise_is_another() -> None:
    registry = FakeRegistry()
    true, false = a_layer("base", 70_000), a_layer("base", 1)
    registry.put("app", "1", a_served_image([true]))
    once = MeasuredOnce(registry)

    found = [await once.measure("app", layer) for layer in (true, false, true)]

    assert [each.registry_bytes for each in found] == [70_000] * 3
    assert registry.count("get_range") == 2
