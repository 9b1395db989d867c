"""What deleting tags of a repository frees, and why nothing is freed or known."""

from datetime import timedelta

import pytest

from support.images import a_layer, an_artifact_of, an_image, an_index_of, some_layers
from support.statements import counted as statements_made
from support.statements import statements_of
from support.store_world import World, a_result
from weighbridge.domain.image.document import Child, Descriptor, Image
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.reclaim.keep_rules import KeepRules
from weighbridge.domain.reclaim.reclaim_report import Freed, ReclaimReport
from weighbridge.store.reports.reclaim import reclaim_by_rules, reclaim_tags
from weighbridge.store.traffic.pull_counts import find_later_pulls, note_tag_pulls

ARM = Platform("linux", "arm64")


def reclaim(world: World, *names: str, leaves_tags_out: bool = False) -> ReclaimReport:
    with world.database.read() as connection:
        return reclaim_tags(
            connection,
            world.report(),
            names,
            world.now,
            leaves_tags_out=leaves_tags_out,
        )


def by_rules(
    world: World, rules: KeepRules, *, most_tags: int | None = None
) -> ReclaimReport:
    with world.database.read() as connection:
        return reclaim_by_rules(
            connection, world.report(), rules, world.now, most_tags=most_tags
        )


def freed_of(report: ReclaimReport) -> Freed:
    assert report.freed is not None, report.reason
    return report.freed


def documents_of(*images: Image) -> int:
    """The bytes of their manifests, and of their configs, each once."""
    configs = {
        i.manifest.config.digest: i.manifest.config.content_bytes for i in images
    }
    return sum(i.manifest.manifest_bytes for i in images) + sum(configs.values())


def test_an_image_frees_what_no_other_image_has(world: World) -> None:
    base = a_layer("base", 5000)
    old = an_image([base, a_layer("old", 300)])
    new = an_image([base, a_layer("new", 400), a_layer("more", 1)])
    world.crawl({"1": old, "2": new})

    report = reclaim(world, "1")

    freed = freed_of(report)
    assert freed.freed_bytes == 300 + documents_of(old)
    assert (freed.manifests, freed.blobs) == ([old.digest], 3)
    assert (report.reason, report.tags) == (None, 1)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_deleting_one_alias_frees_nothing_and_the_reason_says_why(world: World) -> None:
    world.crawl(dict.fromkeys(["1", "latest"], an_image()))

    report = reclaim(world, "1")

    assert freed_of(report) == Freed([], 0, 0, 0)
    assert report.reason == "latest names the same digest"


def test_of_many_aliases_that_stay_some_are_named(world: World) -> None:
    world.crawl(dict.fromkeys([f"t{n}" for n in range(9)], an_image()))

    reason = reclaim(world, "t0").reason

    assert reason == "t1, t2, t3, t4, t5 and 3 more name the same digest"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_all_aliases_together_free_the_image(world: World) -> None:
    image = an_image(some_layers(700))
    world.crawl(dict.fromkeys(["1", "latest"], image))

    report = reclaim(world, "1", "latest")

    assert freed_of(report).freed_bytes == 700 + documents_of(image)
    assert [group.tags for group in report.groups] == [["1", "latest"]]


def test_a_child_that_another_index_lists_stays(world: World) -> None:
    arm = an_image([a_layer("arm", 10)], platform=ARM)
    amd = an_image([a_layer("amd", 20), a_layer("more", 1)])
    both, one = an_index_of(arm, amd), an_index_of(arm)
    world.keep(arm, amd)
    world.crawl({"both": both, "one": one})

    freed = freed_of(reclaim(world, "both"))

    assert freed.manifests == [both.digest, amd.digest]
    assert freed.freed_bytes == both.manifest_bytes + 21 + documents_of(amd)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_of_what_an_index_lists_frees_nothing(world: World) -> None:
    amd = an_image()
    world.keep(amd)
    world.crawl({"index": an_index_of(amd), "amd": amd})

    report = reclaim(world, "amd")

    assert freed_of(report).freed_bytes == 0
    assert report.reason == "an index lists it"


def test_together_tags_free_more_than_each_alone(world: World) -> None:
    shared = a_layer("shared", 1000)
    images = {
        f"t{n}": an_image([shared, *some_layers(*[10] * n, name=f"of {n}")])
        for n in (1, 2)
    }
    world.crawl({**images, "other": an_image([a_layer("x", 1)] * 5)})

    report = reclaim(world, "t1", "t2")

    assert freed_of(report).freed_bytes == 1000 + 30 + documents_of(*images.values())
    assert (
        sum(g.freed_bytes for g in report.groups) == freed_of(report).freed_bytes - 1000
    )


def test_what_another_repository_holds_leaves_but_is_not_freed(world: World) -> None:
    image = an_image(some_layers(700))
    world.crawl({"1": image})
    beside = World(world.database, repository="acme/beside")
    beside.crawl({"1": image})

    report = reclaim(world, "1")

    freed = freed_of(report)
    assert (freed.freed_bytes, freed.blobs) == (0, 0)
    assert freed.elsewhere_bytes == world.report().deduplicated_bytes
    assert report.reason == "what stays holds all of it"


def test_a_foreign_layer_is_stored_nowhere_and_frees_nothing(world: World) -> None:
    image = an_image([a_layer("windows", 10**9, is_foreign=True), a_layer("own", 5)])
    world.crawl({"1": image})

    freed = freed_of(reclaim(world, "1"))

    assert freed.freed_bytes == 5 + documents_of(image)
    assert freed.blobs == 3


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_names_that_are_no_tags_are_passed_over(world: World) -> None:
    world.crawl({"1": an_image()})

    report = reclaim(world, "other")

    assert (report.tags, report.reason) == (0, "no tag would go")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("partial", "too_many_tags", "its last crawl did not see all of it"),
        ("partial", "removals_held", "much of it is missing at once"),
        ("missing", "name_unknown", "the registry does not know it any more"),
        ("unreachable", "timeout", "the registry did not answer its last crawl"),
        ("unauthorized", "denied", "the registry refused its last crawl"),
        ("error", "registry_error", "its last crawl failed"),
    ],
)
def test_of_what_was_not_seen_whole_there_is_a_reason_and_no_number(
    world: World, state: str, reason: str, words: str
) -> None:
    result = a_result(complete=False, state=state, reason=reason)  # type: ignore[arg-type]
    world.crawl({"1": an_image()}, result=result)

    report = reclaim(world, "1")

    assert report.freed is None
    assert report.reason is not None
    assert report.reason.startswith(words)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_repository_that_was_never_crawled_has_a_reason(world: World) -> None:
    assert reclaim(world, "1").reason == "it was never crawled to its end"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_tags_that_wait_for_a_second_crawl_are_a_reason(world: World) -> None:
    world.crawl({"1": an_image()}, result=a_result(held=["1"]))

    report = reclaim(world, "1")

    assert (report.freed, report.groups) == (None, ())
    assert report.reason == (
        "much of it is missing at once, which waits for a second crawl"
    )


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_tags_that_the_configuration_excludes_are_a_reason(world: World) -> None:
    world.crawl({"1": an_image()})

    report = reclaim(world, "1", leaves_tags_out=True)

    assert report.freed is None
    assert "not all tags of its registry are read" in (report.reason or "")


def test_rules_keep_what_they_say_and_the_rest_would_go(world: World) -> None:
    old, new = an_image([a_layer("old", 9)]), an_image([a_layer("new", 8)] * 2)
    world.crawl({"pr-1": old}, pushed_at=world.now - timedelta(days=100))
    world.crawl({"v1": new}, pushed_at=world.now - timedelta(days=100))
    world.crawl({"2": an_image([a_layer("2", 7)] * 3)}, pushed_at=world.now)

    report = by_rules(world, KeepRules(newest=1, days=90, patterns=("v*",)))

    assert [group.tags for group in report.groups] == [["pr-1"]]
    assert freed_of(report).freed_bytes == 9 + documents_of(old)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_signatures_go_with_what_they_sign_and_so_does_what_signs_them(
    world: World,
) -> None:
    image = an_image()
    signature = an_artifact_of(a_layer("signature", 50))
    of_signature = an_artifact_of(a_layer("of signature", 60))
    signed = f"{image.digest.replace(':', '-')}.sig"
    twice = f"{signature.digest.replace(':', '-')}.sig"
    stays = f"sha256-{'0' * 64}.sig"
    world.crawl(
        {
            "1": image,
            signed: signature,
            twice: of_signature,
            stays: an_artifact_of(a_layer("x", 3)),
        }
    )

    named = reclaim(world, "1")
    ruled = by_rules(world, KeepRules(newest=None, days=None, patterns=("2",)))

    assert (named.tags, list(named.left_behind)) == (1, [signed])
    assert (ruled.tags, list(ruled.left_behind)) == (3, [])
    assert len(freed_of(ruled).manifests) == 3


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_of_more_tags_than_an_answer_may_take_nothing_is_said(world: World) -> None:
    world.crawl(dict.fromkeys(["1", "2", "3"], an_image()))

    report = by_rules(world, KeepRules(), most_tags=2)

    assert report.freed is None
    assert report.reason == "it has more than 2 tags: see weighbridge reclaim"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_was_pulled_lately_stays_where_the_registry_gives_the_time(
    world: World,
) -> None:
    used, unused = an_image([a_layer("used", 9)]), an_image([a_layer("unused", 8)] * 2)
    world.crawl({"used": used, "unused": unused})
    with world.database.write() as connection:
        told = {"used": world.now - timedelta(days=20)}
        later = find_later_pulls(connection, world.repository_id, told, world.now)
        note_tag_pulls(connection, later, world.now)

    report = by_rules(
        world, KeepRules(newest=None, days=None, patterns=(), pulled_days=30)
    )

    assert [group.tags for group in report.groups] == [["unused"]]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_rule_about_pulls_where_none_are_known_is_a_reason_and_no_number(
    world: World,
) -> None:
    world.crawl({"1": an_image()})

    report = by_rules(
        world, KeepRules(newest=None, days=None, patterns=(), pulled_days=30)
    )

    assert report.freed is None
    assert report.reason == (
        "keep_pulled_days is set, and its registry gives no times of pulls"
    )


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_report_asks_as_much_of_ten_tags_as_of_three_hundred(world: World) -> None:
    """Count the statements: none is asked once for each tag."""
    counts = []
    for size in (10, 300):
        world.crawl({f"t{n}": an_image([a_layer(n, n)]) for n in range(size)})
        with statements_made() as made:
            report = reclaim(world, *(f"t{n}" for n in range(size)))
        assert report.tags == size
        counts.append(len(made))

    assert counts[0] == counts[1] < 40


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_one_tag_of_a_large_repository_reads_no_other_but_those_that_share_it(
    world: World,
) -> None:
    """The layers of one image are read, not those of the others."""
    world.crawl({f"t{n}": an_image([a_layer(n, n)]) for n in range(300)})

    with world.database.read() as connection:
        made = statements_of(
            connection,
            lambda: reclaim_tags(connection, world.report(), ["t7"], world.now),
        )

    asked = [repr(each.values) for each in made]
    assert len(asked) > 5
    assert max(map(len, asked)) < 300


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_charts_take_no_place_of_the_newest_images_that_are_kept(
    world: World,
) -> None:
    chart = an_artifact_of(a_layer("chart", 900), role="artifact")
    provenance = an_artifact_of(a_layer("provenance", 300))
    listed = Descriptor(provenance.media_type, provenance.digest, 300)
    attested = an_index_of(others=[Child(listed, "attestation")])
    world.keep(provenance)
    images = [an_image([a_layer(n, 1000)]) for n in ("old", "new")]
    world.crawl({"old": images[0], "empty": attested})
    world.crawl({"new": an_index_of(images[1])})
    world.crawl({"chart": chart})

    report = by_rules(world, KeepRules(newest=1, days=None, patterns=()))

    assert {tag for group in report.groups for tag in group.tags} == {
        "old",
        "chart",
        "empty",
    }
