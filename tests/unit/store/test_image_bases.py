"""Which base an image stands on, as the database finds it: before and after its base is
known, by layers, lines and annotations."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from support.bases_and_app import (
    APP,
    BUILT_AT,
    DEBIAN,
    HOUR,
    ON_DEBIAN,
    PYTHON,
    BasesAndApp,
    built,
)
from support.images import a_digest, a_layer
from support.statements import counted
from weighbridge.domain.image.document import HistoryEntry, Image, Line, Problem
from weighbridge.domain.image.image_base import BaseInWords, Relation
from weighbridge.domain.image.image_config import align
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.limits import Retention
from weighbridge.store.facts.images import keep_configs
from weighbridge.store.maintenance.forgetting import find_known, forget
from weighbridge.store.maintenance.pruning import prune
from weighbridge.store.models import (
    base_chains,
    base_names,
    base_summaries,
    blobs,
    image_bases,
)
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.session import Database


def test_the_longest_run_of_layers_that_is_a_bases_is_its_base(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN, "9": DEBIAN, "latest": DEBIAN})
    fleet.base("library/python", {"3.6": PYTHON})

    found = fleet.push(APP)

    assert found == BaseInWords("library/python:3.6", (), 2, "base", "layers")
    assert fleet.base_of(PYTHON) == BaseInWords(
        "library/debian:stretch",
        ("library/debian:9", "library/debian:latest"),
        1,
        "base",
        "layers",
    )
    assert fleet.base_of(DEBIAN) is None


def test_an_image_that_came_before_its_base_is_found_by_the_sweep(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    assert fleet.push(APP) is None
    fleet.base("library/debian", {"stretch": DEBIAN})

    assert fleet.sweep() > 0
    of_debian = fleet.base_of(APP)
    fleet.base("library/python", {"3.6": PYTHON})
    fleet.sweep()
    of_python = fleet.base_of(APP)

    assert of_debian is not None
    assert of_debian.reference == "library/debian:stretch"
    assert of_python is not None
    assert of_python.reference == "library/python:3.6"
    assert fleet.sweep() == 0


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_tags_from_before_a_repository_was_a_base_are_taken_by_the_sweep(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN}, is_marked=False)
    assert fleet.push(APP) is None

    fleet.mark()
    fleet.sweep()

    found = fleet.base_of(APP)
    assert found is not None
    assert found.reference == "library/debian:stretch"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_base_is_known_after_its_tag_moved_on_and_was_deleted(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    fleet.base("library/debian", {"stretch": built([a_layer("newer")])})
    fleet.base("library/debian", {}, deleted=["stretch"])

    found = fleet.push(ON_DEBIAN)

    assert found is not None
    assert (found.reference, found.relation) == ("library/debian:stretch", "base")
    with database.read() as connection:
        left = connection.execute(select(base_names.c.left_at)).scalars().all()
    assert len(left) == 2
    assert None not in left


def test_a_base_is_known_after_its_repository_was_forgotten_and_all_of_it_pruned(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.push(APP)
    fleet.base("library/debian", {"stretch": DEBIAN})
    with database.read() as connection:
        debian = find_known(connection, "hub", "library/debian")
    assert debian is not None
    later = fleet.app.now + timedelta(days=400)

    forget(
        database,
        debian,
        lambda: later,
        owner="us",
        listing="discover",
        watch=lambda *_: None,
    )
    fleet.app.crawl({}, deleted=["latest"])
    fleet.app.crawl({"other": built([a_layer("other")])})
    day = timedelta(days=1)
    prune(database, Retention(day, day, day, day), later + timedelta(days=400))

    with database.read() as connection:
        kept = select(blobs.c.id).where(blobs.c.digest == DEBIAN.digest)
        assert connection.execute(kept).first() is None
        (left_at,) = connection.execute(select(base_names.c.left_at)).scalars()
    assert left_at is not None
    found = fleet.push(ON_DEBIAN)
    assert found is not None
    assert found.reference == "library/debian:stretch"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_tag_that_comes_back_leads_there_again(database: Database) -> None:
    fleet = BasesAndApp(database)
    newer = built([a_layer("newer")])
    for image in (DEBIAN, newer, DEBIAN):
        fleet.base("library/debian", {"stretch": image})

    with database.read() as connection:
        rows = connection.execute(select(base_names.c.digest, base_names.c.left_at))
        leads = {row.digest: row.left_at is None for row in rows}
    assert leads == {DEBIAN.digest: True, newer.digest: False}


def test_each_platform_of_an_index_is_a_base_under_its_tag(database: Database) -> None:
    fleet = BasesAndApp(database)
    arm = built([a_layer("arm", 5000)], platform=Platform("linux", "arm64", "v8"))
    fleet.base("library/debian", {"stretch": fleet.index(DEBIAN, arm)})
    on_arm = built([a_layer("app")], below=arm, platform=arm.platform)

    assert fleet.push(ON_DEBIAN) == fleet.push(on_arm)

    found = fleet.base_of(on_arm)
    assert found is not None
    assert found.reference == "library/debian:stretch"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_image_that_adds_lines_to_a_base_stands_on_it_with_all_of_its_layers(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    labelled = built([], "LABEL team=shop", below=DEBIAN, at=BUILT_AT + HOUR)

    found = fleet.push(labelled)

    assert found == BaseInWords("library/debian:stretch", (), 1, "base", "layers")


def on_python(lines: Sequence[Line]) -> Image:
    """Just the layers of PYTHON, with other lines."""
    stripped = built([], "LABEL a=b", below=PYTHON, at=BUILT_AT + HOUR)
    history = [
        HistoryEntry(line.instruction, line.created_at, line.layer is None)
        for line in lines
    ]
    found, alignment = align(history, 2)
    problem = Problem("history_mismatch", "no line of two layers")
    problems = (problem,) if alignment == "unresolved" else ()
    return replace(
        stripped, lines=found, history_alignment=alignment, problems=problems
    )


@pytest.mark.parametrize(
    ("lines", "relation"),
    [
        ([], "base"),
        ([*PYTHON.lines[:-1], Line('CMD ["app"]', BUILT_AT, None)], "base"),
        ([Line("RUN a", BUILT_AT, 0), Line("RUN b", BUILT_AT, 1)], "relative"),
    ],
)
def test_other_lines_do_not_hide_the_base_of_which_an_image_has_just_the_layers(
    database: Database, lines: Sequence[Line], relation: Relation
) -> None:
    """With fewer lines it may be what that base was built on."""
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    fleet.base("library/python", {"3.6": PYTHON})

    found = fleet.push(on_python(lines))

    assert found == BaseInWords("library/python:3.6", (), 2, relation, "layers")


def test_a_base_that_is_pushed_elsewhere_stands_on_what_it_stands_on(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    fleet.base("library/python", {"3.6": PYTHON})
    manifest = replace(PYTHON.manifest, digest=a_digest("again"))

    found = fleet.push(replace(PYTHON, manifest=manifest))

    assert found == BaseInWords("library/debian:stretch", (), 1, "base", "layers")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_of_two_bases_with_the_same_layers_the_one_with_the_images_lines_is_meant(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    with_proxy = built([], "ENV PROXY=on", below=DEBIAN, at=BUILT_AT + HOUR)
    fleet.base("library/debian", {"stretch": DEBIAN})
    fleet.base("acme/debian", {"stretch": with_proxy})
    above = built([a_layer("app")], below=with_proxy, at=BUILT_AT + 2 * HOUR)

    found = fleet.push(above)
    beside = fleet.push(ON_DEBIAN)

    assert found is not None
    assert found.reference == "acme/debian:stretch"
    assert beside is not None
    assert beside.reference == "library/debian:stretch"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_another_image_in_between_makes_it_a_relative(database: Database) -> None:
    """PYTHON is no base that we know; its CMD, an hour before what follows, tells."""
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})

    found = fleet.push(APP)

    assert found is not None
    assert (found.reference, found.relation) == ("library/debian:stretch", "relative")


def test_an_image_whose_layers_were_compressed_anew_is_found_by_its_lines(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    again = built([a_layer("app")], below=DEBIAN, at=BUILT_AT + HOUR)
    layers = (a_layer("root as zstd", 30_000), again.layers[1])
    again = replace(again, manifest=replace(again.manifest, layers=layers))

    found = fleet.push(again)

    assert found == BaseInWords("library/debian:stretch", (), 1, "base", "history")


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_annotation_of_a_base_that_nobody_knows_is_all_that_is_said(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    image = built([a_layer("app")], says="docker.io/library/alpine:3.20")

    found = fleet.push(image)

    assert found == BaseInWords("library/alpine:3.20", (), None, "base", "annotation")


def test_an_annotation_confirms_what_the_layers_show(database: Database) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN, "9": DEBIAN})
    image = built([a_layer("app")], below=DEBIAN, says="debian:9")

    found = fleet.push(image)

    assert found == BaseInWords(
        "library/debian:9", ("library/debian:stretch",), 1, "base", "annotation"
    )


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_annotation_that_the_layers_contradict_counts_for_nothing(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    slim = built([a_layer("slim", 2000)])
    fleet.base("library/python", {"3-slim": slim})
    liar = built([a_layer("app")], below=DEBIAN, says="python:3-slim")
    stranger = built([a_layer("other", 3000)], digest=slim.digest)

    found = fleet.push(liar)

    assert found == BaseInWords("library/debian:stretch", (), 1, "base", "layers")
    assert fleet.push(stranger) is None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_claim_that_the_layers_contradict_is_counted_nowhere(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/python", {"3-slim": built([a_layer("slim", 2000)])})
    said = "registry.example/acme/base:1"
    fleet.app.crawl(
        {
            "liar": built([a_layer("app")], says="python:3-slim"),
            "stranger": built([a_layer("app")], says=said),
        }
    )

    refresh_base_summaries(database, fleet.app.now)

    with database.read() as connection:
        counts = select(base_summaries.c.reference, base_summaries.c.claimed_count)
        assert [tuple(row) for row in connection.execute(counts)] == [(said, 1)]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_base_is_looked_for_again_once_a_config_comes(database: Database) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    image = built([], "LABEL team=shop", below=DEBIAN, at=BUILT_AT + HOUR)
    bare = replace(image, lines=(), history_alignment="unresolved")
    assert fleet.push(bare) is None

    with database.write() as connection:
        keep_configs(connection, [image])

    found = fleet.base_of(image)
    assert found is not None
    assert found.reference == "library/debian:stretch"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_annotation_of_an_unknown_base_does_not_hide_what_the_layers_show(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    said = "registry.example/acme/base:1"
    image = built([a_layer("app")], below=DEBIAN, says=said)

    found = fleet.push(image)

    assert found == BaseInWords("library/debian:stretch", (), 1, "base", "layers")
    with database.read() as connection:
        kept = select(image_bases.c.reference).where(image_bases.c.reference == said)
        assert connection.execute(kept).one() == (said,)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_lines_are_but_a_relatives_where_an_annotation_names_an_unknown_base(
    database: Database,
) -> None:
    fleet = BasesAndApp(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    image = built([a_layer("app")], below=DEBIAN, says="registry.example/acme/base:1")
    layers = (a_layer("root as zstd", 30_000), image.layers[1])
    image = replace(image, manifest=replace(image.manifest, layers=layers))

    found = fleet.push(image)

    assert found == BaseInWords("library/debian:stretch", (), 1, "relative", "history")


def test_the_sweep_keeps_what_annotations_say(database: Database) -> None:
    fleet = BasesAndApp(database)
    image = built([a_layer("app")], below=DEBIAN, says="debian:stretch")
    before = fleet.push(image)

    fleet.base("library/debian", {"stretch": DEBIAN})
    fleet.sweep()

    assert before is not None
    assert before.layers is None
    assert fleet.base_of(image) == BaseInWords(
        "library/debian:stretch", (), 1, "base", "annotation"
    )


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_layers_of_an_empty_folder_are_nobodys_base(database: Database) -> None:
    fleet = BasesAndApp(database)
    empty = a_layer("empty", 32)
    fleet.base("acme/odd", {"1": built([empty])})

    assert fleet.push(built([empty, a_layer("app")])) is None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_images_of_any_other_repository_are_no_bases(database: Database) -> None:
    fleet = BasesAndApp(database)
    fleet.base("acme/other", {"1": DEBIAN}, is_marked=False)

    assert fleet.push(APP) is None
    with database.read() as connection:
        assert connection.execute(select(base_chains.c.id)).first() is None


def test_a_push_asks_as_often_however_many_bases_are_known(
    database: Database,
) -> None:
    """Of an image on a base: its layers, and whether its repository is a base."""
    fleet = BasesAndApp(database)
    asked = []
    for count in (1, 60):
        tags = {f"v{n}": built([a_layer((count, n), 5000)]) for n in range(count)}
        fleet.base("acme/bases", {**tags, "stretch": DEBIAN})
        image = built([a_layer(("app", count))], below=DEBIAN)

        with counted() as seen:
            fleet.push(image)

        asked.append([text for text in seen if "base_" in text])

    kinds = [[text.split()[0] for text in of_push] for of_push in asked]
    # One row is written; the last one is the test's own look at it, with the names.
    assert kinds[0] == kinds[1]
    assert len(kinds[0]) == 5
    assert kinds[0].count("INSERT") == 1
