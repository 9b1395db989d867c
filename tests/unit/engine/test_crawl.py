"""A crawl keeps what it saw, and never changes what it did not see."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from support.crawling import Yard, a_yard
from support.fake_registry import FakeRegistry
from support.images import (
    DOCKER_MANIFEST,
    Served,
    a_manifest,
    a_served_image,
    an_artifact,
    an_index,
    some_layers,
)
from weighbridge.domain.image.document import Layer
from weighbridge.domain.image.platform import Platform
from weighbridge.engine.context.parts import Scope
from weighbridge.errors import ListingError, RateLimited, RegistryError, TransportError

pytestmark = pytest.mark.slow

RESET = TransportError("the connection was reset", code="connection_reset")


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with a_yard(tmp_path) as made:
        yield made


def filled(tags: int = 3, repository: str = "shop/api") -> FakeRegistry:
    """A registry with one repository whose tags t0.. have an image each."""
    registry = FakeRegistry()
    for n in range(tags):
        layers = some_layers(1000, 10 + n, name=f"{repository}-{n}")
        registry.put(repository, f"t{n}", a_served_image(layers))
    return registry


async def test_a_first_crawl_keeps_every_tag_with_its_size(yard: Yard) -> None:
    registry = filled(3)

    done = await yard.crawl(registry)

    sizes = {n: t.compressed_bytes for n, t in yard.tags("shop/api").items()}
    assert sizes == {"t0": 1010, "t1": 1011, "t2": 1012}
    assert (done.state, done.tags, done.images) == ("ok", 3, 3)
    assert done.weighed_bytes == 1010 + 1011 + 1012


async def test_an_unchanged_crawl_asks_one_head_a_tag_and_no_manifest(
    yard: Yard,
) -> None:
    registry = filled(20)
    await yard.crawl(registry)
    registry.asked.clear()

    await yard.crawl(registry)

    assert registry.count("head_manifest") == 20
    assert registry.count("get_manifest") == registry.count("get_blob") == 0


async def test_an_unchanged_crawl_writes_the_same_few_rows_for_any_number_of_tags(
    yard: Yard,
) -> None:
    written = []
    for tags in (2, 200):
        registry = filled(tags, repository=f"shop/r{tags}")
        await yard.crawl(registry)
        with yard.counted_rows() as rows:
            await yard.crawl(registry, Scope(only=(f"shop/r{tags}",)))
        written.append(sum(rows))

    assert written[0] == written[1]
    assert 0 < written[0] <= 12


async def test_a_moved_tag_is_fetched_again(yard: Yard) -> None:
    registry = filled(2)
    await yard.crawl(registry)
    registry.put("shop/api", "t0", a_served_image(some_layers(5000)))
    registry.asked.clear()

    await yard.crawl(registry)

    assert yard.tags("shop/api")["t0"].compressed_bytes == 5000
    assert yard.tags("shop/api")["t1"].compressed_bytes == 1011
    assert registry.count("get_manifest") == 1
    assert yard.crawls("shop/api")[0].tags_moved == 1


async def test_a_digest_known_from_another_repository_is_not_fetched_again(
    yard: Yard,
) -> None:
    registry = filled(1)
    await yard.crawl(registry)
    image = a_served_image(some_layers(1000, 10, name="shop/api-0"))
    registry.put("shop/copy", "t0", image)
    registry.asked.clear()

    await yard.crawl(registry)

    assert registry.count("get_blob") == 0
    assert yard.tags("shop/copy")["t0"].compressed_bytes == 1010


async def test_a_tag_is_gone_when_a_complete_crawl_does_not_see_it(yard: Yard) -> None:
    registry = filled(3)
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/api"]["t1"]

    await yard.crawl(registry)

    gone = yard.tags("shop/api")["t1"]
    assert gone.deleted_at is not None
    assert gone.compressed_bytes == 1011
    assert yard.repository("shop/api").tags == 2


async def test_a_second_page_that_fails_removes_nothing_registry_list_009(
    yard: Yard,
) -> None:
    registry = filled(6)
    registry.page_length = 3
    await yard.crawl(registry)
    registry.put("shop/api", "t0", a_served_image(some_layers(5000)))
    del registry.tags_by_repository["shop/api"]["t5"]
    registry.breaks["tags", "shop/api#1"] = RegistryError("500", code="registry_error")

    await yard.crawl(registry)

    tags = yard.tags("shop/api")
    assert all(tag.deleted_at is None for tag in tags.values())
    assert (tags["t0"].compressed_bytes, tags["t5"].compressed_bytes) == (5000, 1015)
    report = yard.repository("shop/api")
    assert (report.state, report.state_reason) == ("partial", "registry_error")


@pytest.mark.parametrize("code", ["link_refused", "pagination_loop", "name_mismatch"])
async def test_a_listing_that_cannot_be_followed_is_partial_registry_list_001(
    yard: Yard, code: str
) -> None:
    registry = filled(6)
    registry.page_length = 3
    registry.breaks["tags", "shop/api#1"] = ListingError("no further", code=code)

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.state, report.state_reason, report.tags) == ("partial", code, 3)


async def test_a_listing_with_entries_that_are_no_tags_removes_nothing(
    yard: Yard,
) -> None:
    registry = filled(3)
    await yard.crawl(registry)
    del registry.tags_by_repository["shop/api"]["t1"]
    registry.invalid_tags = 1

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.state, report.state_reason) == ("partial", "invalid_tag")
    assert yard.tags("shop/api")["t1"].deleted_at is None
    assert yard.crawls("shop/api")[0].invalid_tags == 1


async def test_a_registry_that_is_down_leaves_everything_as_it_was(yard: Yard) -> None:
    registry = filled(3)
    await yard.crawl(registry)
    before = yard.tags("shop/api")
    registry.breaks["repositories", "#0"] = RESET

    done = await yard.crawl(registry)

    assert (done.state, done.reason) == ("unreachable", "connection_reset")
    assert yard.tags("shop/api") == before
    assert yard.repository("shop/api").newest_compressed_bytes == 1012


async def test_a_tag_whose_look_failed_keeps_its_last_record(yard: Yard) -> None:
    registry = filled(2)
    await yard.crawl(registry)
    registry.breaks["head_manifest", "t0"] = RESET

    await yard.crawl(registry)

    tag = yard.tags("shop/api")["t0"]
    assert (tag.compressed_bytes, tag.error_code) == (1010, "connection_reset")
    assert yard.repository("shop/api").tags_failed == 1


async def test_a_tag_that_answers_again_is_no_longer_in_error(yard: Yard) -> None:
    registry = filled(2)
    await yard.crawl(registry)
    registry.breaks["head_manifest", "t0"] = RESET
    await yard.crawl(registry)
    registry.breaks.clear()

    await yard.crawl(registry)

    assert yard.tags("shop/api")["t0"].error_code is None
    assert yard.repository("shop/api").state == "ok"
    assert yard.repository("shop/api").tags_failed == 0


BAD_LAYER = a_manifest(layers=[Layer(DOCKER_MANIFEST, some_layers(1)[0].digest, -1)])


async def test_a_refused_manifest_keeps_the_last_record_manifest_007(
    yard: Yard,
) -> None:
    registry = filled(2)
    await yard.crawl(registry)
    registry.put("shop/api", "t0", BAD_LAYER)

    await yard.crawl(registry)

    tags = yard.tags("shop/api")
    assert (tags["t0"].compressed_bytes, tags["t0"].error_code) == (
        1010,
        "invalid_size",
    )
    assert (tags["t1"].compressed_bytes, tags["t1"].error_code) == (1011, None)


async def test_a_refused_manifest_is_fetched_once_ever(yard: Yard) -> None:
    registry = filled(1)
    registry.put("shop/api", "bad", BAD_LAYER)
    await yard.crawl(registry)
    await yard.crawl(registry)
    registry.asked.clear()

    await yard.crawl(registry)

    assert registry.count("get_manifest") == 0
    assert yard.tags("shop/api")["bad"].error_code == "invalid_size"


async def test_a_header_that_lies_about_the_digest_is_not_believed_manifest_030(
    yard: Yard,
) -> None:
    registry = filled(1)
    truth = registry.tags_by_repository["shop/api"]["t0"]
    await yard.crawl(registry)
    registry.claims["t0"] = a_manifest().digest

    await yard.crawl(registry)

    tag = yard.tags("shop/api")["t0"]
    assert (tag.digest, tag.error_code) == (truth, None)


async def test_a_schema_1_manifest_is_listed_with_unknown_size_manifest_046(
    yard: Yard,
) -> None:
    registry = filled(1)
    schema1 = Served(
        b'{"schemaVersion":1,"name":"shop/api","tag":"old","fsLayers":[],"history":[]}',
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    )
    registry.put("shop/api", "old", schema1)

    await yard.crawl(registry)

    tag = yard.tags("shop/api")["old"]
    assert (tag.kind, tag.compressed_bytes) == ("unweighable", None)


async def test_an_artifact_is_in_no_image_total_manifest_047(yard: Yard) -> None:
    registry = filled(1)
    registry.put("shop/api", "sbom", an_artifact())

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.images, report.newest_compressed_bytes) == (1, 1010)
    assert yard.tags("shop/api")["sbom"].kind == "artifact"


async def test_a_missing_child_is_not_counted_as_nothing_index_005(yard: Yard) -> None:
    registry = FakeRegistry()
    amd = a_served_image(some_layers(400))
    arm = a_served_image(some_layers(7), platform=Platform("linux", "arm64"))
    registry.hold(amd)
    registry.put("shop/api", "1", an_index([amd.manifest, arm.manifest]))

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.state, report.state_reason) == ("partial", "child_missing")
    assert report.newest_compressed_bytes == 400


async def test_half_a_repository_that_vanishes_at_once_needs_a_second_crawl(
    yard: Yard,
) -> None:
    registry = filled(30)
    await yard.crawl(registry)
    for n in range(20):
        del registry.tags_by_repository["shop/api"][f"t{n}"]

    await yard.crawl(registry)
    held = yard.repository("shop/api")
    await yard.crawl(registry)

    assert (held.tags, held.state, held.state_reason) == (
        30,
        "partial",
        "removals_held",
    )
    assert (yard.repository("shop/api").tags, yard.repository("shop/api").state) == (
        10,
        "ok",
    )


async def test_what_comes_back_in_between_was_never_gone(yard: Yard) -> None:
    registry = filled(30)
    await yard.crawl(registry)
    whole = dict(registry.tags_by_repository["shop/api"])
    registry.tags_by_repository["shop/api"] = {"t29": whole["t29"]}
    await yard.crawl(registry)
    registry.tags_by_repository["shop/api"] = whole

    await yard.crawl(registry)

    assert yard.repository("shop/api").tags == 30
    assert all(tag.deleted_at is None for tag in yard.tags("shop/api").values())


async def test_a_repository_that_the_registry_denies_keeps_its_data(
    yard: Yard,
) -> None:
    registry = filled(2)
    await yard.crawl(registry)
    registry.tags_by_repository.clear()

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.state, report.tags) == ("missing", 2)
    assert report.newest_compressed_bytes == 1011


async def test_a_repository_that_never_was_leaves_no_trace(yard: Yard) -> None:
    registry = filled(1)
    await yard.crawl(registry)

    done = await yard.crawl(registry, Scope(only=("shop/apj",)))

    assert [fault.repository for fault in done.faults] == ["shop/apj"]
    with pytest.raises(AssertionError, match="no repository"):
        yard.repository("shop/apj")


async def test_excluded_repositories_and_tags_are_not_asked(yard: Yard) -> None:
    registry = filled(3)
    registry.put("tmp/x", "1", a_served_image())
    scope = Scope(
        wants_repository=lambda name: not name.startswith("tmp/"),
        wants_tag=lambda name: name != "t2",
    )

    await yard.crawl(registry, scope)

    assert sorted(yard.tags("shop/api")) == ["t0", "t1"]
    assert registry.count("get_manifest") == 2


async def test_a_quota_that_is_spent_keeps_what_came_before_it(yard: Yard) -> None:
    registry = filled(3)
    registry.breaks["get_manifest", "t2"] = RateLimited("429", retry_after=60)

    await yard.crawl(registry)

    tags = yard.tags("shop/api")
    assert (tags["t0"].compressed_bytes, tags["t2"].compressed_bytes) == (1010, None)
    assert tags["t2"].error_code == "rate_limited"
    assert yard.repository("shop/api").state == "partial"


async def test_tags_of_one_digest_are_asked_by_head_before_a_get(yard: Yard) -> None:
    registry = FakeRegistry()
    image = a_served_image()
    for n in range(3):
        registry.put("shop/api", f"alias{n}", image)
    await yard.crawl(registry)
    registry.put("shop/api", "alias9", image)
    registry.asked.clear()

    await yard.crawl(registry)

    assert registry.count("get_manifest") == 0
    assert yard.tags("shop/api")["alias9"].compressed_bytes == 1000


async def test_what_a_crawl_cost_is_its_own(yard: Yard) -> None:
    registry = filled(4)
    registry.put("shop/web", "1", a_served_image(some_layers(9)))

    done = await yard.crawl(registry)

    api, web = yard.crawls("shop/api")[0], yard.crawls("shop/web")[0]
    assert (api.requests, web.requests) == (1 + 2 * 4, 1 + 2)
    assert done.requests == 1 + api.requests + web.requests


async def test_a_crawl_counts_only_its_own_requests(yard: Yard) -> None:
    registry = filled(4)
    first = await yard.crawl(registry)

    second = await yard.crawl(registry)

    assert second.requests == registry.cost.requests - first.requests


async def test_other_repositories_are_untouched_by_one_that_fails(yard: Yard) -> None:
    registry = filled(2)
    registry.put("shop/web", "1", a_served_image(some_layers(9)))
    await yard.crawl(registry)
    before = yard.repository("shop/web")
    registry.breaks["tags", "shop/api#0"] = RESET

    await yard.crawl(registry)

    after = yard.repository("shop/web")
    assert yard.repository("shop/api").state == "unreachable"
    assert (
        replace(
            after,
            last_crawl_at=before.last_crawl_at,
            last_complete_crawl_at=before.last_complete_crawl_at,
        )
        == before
    )


async def test_a_child_that_comes_late_is_read_in_the_next_crawl(yard: Yard) -> None:
    registry = FakeRegistry()
    amd = a_served_image(some_layers(400))
    arm = a_served_image(some_layers(7), platform=Platform("linux", "arm64"))
    registry.hold(arm)
    registry.put("shop/api", "1", an_index([amd.manifest, arm.manifest]))
    await yard.crawl(registry)
    registry.hold(amd)

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.state, report.newest_compressed_bytes) == ("ok", 400)


async def test_a_child_that_stays_missing_is_never_called_ok(yard: Yard) -> None:
    registry = FakeRegistry()
    amd = a_served_image(some_layers(400))
    arm = a_served_image(some_layers(7), platform=Platform("linux", "arm64"))
    registry.hold(amd)
    registry.put("shop/api", "1", an_index([amd.manifest, arm.manifest]))
    await yard.crawl(registry)

    await yard.crawl(registry)

    report = yard.repository("shop/api")
    assert (report.state, report.state_reason) == ("partial", "child_missing")


async def test_an_index_that_one_repository_has_in_part_is_read_whole_in_another(
    yard: Yard,
) -> None:
    registry = FakeRegistry()
    amd = a_served_image(some_layers(400))
    index = an_index([amd.manifest])
    registry.put("evil/app", "1", index)
    await yard.crawl(registry)
    registry.put("shop/api", "1", index)
    registry.hold(amd)

    await yard.crawl(registry, Scope(only=("shop/api",)))

    assert yard.repository("shop/api").newest_compressed_bytes == 400


async def test_a_false_size_of_a_shared_layer_changes_no_other_repository(
    yard: Yard,
) -> None:
    registry = FakeRegistry()
    (shared,) = some_layers(1000, name="shared")
    false = Layer(shared.media_type, shared.digest, 2**44)
    registry.put("aaa/evil", "1", a_served_image([false]))
    await yard.crawl(registry)

    registry.put("shop/api", "1", a_served_image([shared, *some_layers(5)]))
    await yard.crawl(registry)

    assert yard.repository("shop/api").newest_compressed_bytes == 1005


async def test_a_created_date_that_comes_to_pass_counts_from_then_on(
    yard: Yard,
) -> None:
    registry = FakeRegistry()
    old = a_served_image(some_layers(1), created="2026-02-01T00:00:00Z")
    new = a_served_image(some_layers(2), created="2026-06-01T00:00:00Z")
    registry.put("shop/api", "blue", old)
    registry.put("shop/api", "azure", new)
    await yard.crawl(registry)
    before = yard.repository("shop/api").newest_tag
    yard.now += timedelta(days=120)

    await yard.crawl(registry)

    assert (before, yard.repository("shop/api").newest_tag) == ("blue", "azure")
