"""Which base an image stands on, as the database finds it: before and after its base is
known, by layers, lines and annotations."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace
from sqlalchemy import select

from support.images import a_digest, a_layer, an_image, an_index_of
from support.statements import counted
from support.store_world import World
from weighbridge.domain.base.base_repositories import BasePlace
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    AnnotatedBase,
    Document,
    Image,
    Layer,
    Line,
)
from weighbridge.domain.image.image_base import BaseInWords
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.image.reference import parse_reference
from weighbridge.domain.limits import Retention
from weighbridge.store.bases.image_bases import load_bases
from weighbridge.store.bases.marks import mark_bases
from weighbridge.store.facts.images import keep_configs
from weighbridge.store.maintenance.base_sweep import sweep_bases
from weighbridge.store.maintenance.forgetting import find_known, forget
from weighbridge.store.maintenance.pruning import prune
from weighbridge.store.models import base_chains, base_names, base_summaries, blobs
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.session import Database

ROOT: Final = a_layer("root", 40_000)
TOOLS: Final = a_layer("tools", 9_000)
BUILT_AT: Final = datetime(2024, 5, 6, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)


def built(
    layers: Sequence[Layer],
    *more: str,
    below: Image | None = None,
    at: datetime = BUILT_AT,
    platform: Platform | None = None,
    says: str | None = None,
    digest: str | None = None,
) -> Image:
    """An image with these layers on top of another one's, each with a RUN line; then
    lines without a layer."""
    lines = list(below.lines) if below else []
    under = below.layers if below else ()
    lines += [
        Line(f"RUN {layer.digest[7:15]}", at, len(under) + n)
        for n, layer in enumerate(layers)
    ]
    lines += [Line(text, at, None) for text in more]
    image = an_image([*under, *layers], lines=lines)
    if platform is not None:
        image = replace(image, platform=platform)
    # Its config differs, so that its digest does.
    manifest = replace(image.manifest, digest=a_digest(repr((image, says, digest))))
    if says or digest:
        manifest = replace(
            manifest,
            base=AnnotatedBase(
                parse_reference(says) if says else None,
                Digest(digest) if digest else None,
            ),
        )
    return replace(image, manifest=manifest)


DEBIAN: Final = built([ROOT], 'CMD ["bash"]')
PYTHON: Final = built([TOOLS], 'CMD ["python3"]', below=DEBIAN, at=BUILT_AT + HOUR)
APP: Final = built([a_layer("app")], below=PYTHON, at=BUILT_AT + 2 * HOUR)
ON_DEBIAN: Final = built([a_layer("app")], below=DEBIAN, at=BUILT_AT + HOUR)


class Fleet:
    """An application's repository, and repositories of bases beside it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.app = World(database)
        self._bases: dict[str, World] = {}
        self._children: dict[Digest, Sequence[Image]] = {}

    def base(
        self,
        name: str,
        tags: Mapping[str, Document],
        deleted: Sequence[str] = (),
        *,
        is_marked: bool = True,
    ) -> None:
        """Where the tags of a base's repository lead now."""
        world = self._bases.get(name) or World(self.database, repository=name)
        self._bases[name] = world
        world.now = max(world.now, self.app.now)
        if is_marked:
            self.mark()
        for document in tags.values():
            world.keep(*self._children.get(document.digest, ()))
        world.crawl(tags, deleted=deleted)

    def index(self, *images: Image) -> Document:
        """An index of these, which are kept with it."""
        index = an_index_of(*images)
        self._children[index.digest] = images
        return index

    def mark(self) -> None:
        """Have all of them be bases."""
        with self.database.write() as connection:
            names = [BasePlace(n, "docker.io", n) for n in self._bases]
            mark_bases(connection, "hub", names)

    def sweep(self) -> int:
        return sweep_bases(self.database, self.app.now).images

    def base_of(self, image: Image) -> BaseInWords | None:
        with self.database.read() as connection:
            chosen = select(blobs.c.id).where(blobs.c.digest == image.digest)
            number = connection.execute(chosen).scalar_one()
            return load_bases(connection, [number], self.app.now).get(number)

    def push(self, image: Image) -> BaseInWords | None:
        """An image comes to the application's repository; its base."""
        self.app.crawl({"latest": image})
        return self.base_of(image)


def test_the_longest_run_of_layers_that_is_a_bases_is_its_base(
    database: Database,
) -> None:
    fleet = Fleet(database)
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
    fleet = Fleet(database)
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


def test_tags_from_before_a_repository_was_a_base_are_taken_by_the_sweep(
    database: Database,
) -> None:
    fleet = Fleet(database)
    fleet.base("library/debian", {"stretch": DEBIAN}, is_marked=False)
    assert fleet.push(APP) is None

    fleet.mark()
    fleet.sweep()

    found = fleet.base_of(APP)
    assert found is not None
    assert found.reference == "library/debian:stretch"


def test_a_base_is_known_after_its_tag_moved_on_and_was_deleted(
    database: Database,
) -> None:
    fleet = Fleet(database)
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
    fleet = Fleet(database)
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


def test_a_tag_that_comes_back_leads_there_again(database: Database) -> None:
    fleet = Fleet(database)
    newer = built([a_layer("newer")])
    for image in (DEBIAN, newer, DEBIAN):
        fleet.base("library/debian", {"stretch": image})

    with database.read() as connection:
        rows = connection.execute(select(base_names.c.digest, base_names.c.left_at))
        leads = {row.digest: row.left_at is None for row in rows}
    assert leads == {DEBIAN.digest: True, newer.digest: False}


def test_each_platform_of_an_index_is_a_base_under_its_tag(database: Database) -> None:
    fleet = Fleet(database)
    arm = built([a_layer("arm", 5000)], platform=Platform("linux", "arm64", "v8"))
    fleet.base("library/debian", {"stretch": fleet.index(DEBIAN, arm)})
    on_arm = built([a_layer("app")], below=arm, platform=arm.platform)

    assert fleet.push(ON_DEBIAN) == fleet.push(on_arm)

    found = fleet.base_of(on_arm)
    assert found is not None
    assert found.reference == "library/debian:stretch"


def test_an_image_that_adds_lines_to_a_base_stands_on_it_with_all_of_its_layers(
    database: Database,
) -> None:
    fleet = Fleet(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    labelled = built([], "LABEL team=shop", below=DEBIAN, at=BUILT_AT + HOUR)

    found = fleet.push(labelled)

    assert found == BaseInWords("library/debian:stretch", (), 1, "base", "layers")


def test_of_two_bases_with_the_same_layers_the_one_with_the_images_lines_is_meant(
    database: Database,
) -> None:
    fleet = Fleet(database)
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


def test_another_image_in_between_makes_it_a_relative(database: Database) -> None:
    """PYTHON is no base that we know; its CMD, an hour before what follows, tells."""
    fleet = Fleet(database)
    fleet.base("library/debian", {"stretch": DEBIAN})

    found = fleet.push(APP)

    assert found is not None
    assert (found.reference, found.relation) == ("library/debian:stretch", "relative")


def test_an_image_whose_layers_were_compressed_anew_is_found_by_its_lines(
    database: Database,
) -> None:
    fleet = Fleet(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    again = built([a_layer("app")], below=DEBIAN, at=BUILT_AT + HOUR)
    layers = (a_layer("root as zstd", 30_000), again.layers[1])
    again = replace(again, manifest=replace(again.manifest, layers=layers))

    found = fleet.push(again)

    assert found == BaseInWords("library/debian:stretch", (), 1, "base", "history")


def test_an_annotation_of_a_base_that_nobody_knows_is_all_that_is_said(
    database: Database,
) -> None:
    fleet = Fleet(database)
    image = built([a_layer("app")], says="docker.io/library/alpine:3.20")

    found = fleet.push(image)

    assert found == BaseInWords("library/alpine:3.20", (), None, "base", "annotation")


def test_an_annotation_confirms_what_the_layers_show(database: Database) -> None:
    fleet = Fleet(database)
    fleet.base("library/debian", {"stretch": DEBIAN, "9": DEBIAN})
    image = built([a_layer("app")], below=DEBIAN, says="debian:9")

    found = fleet.push(image)

    assert found == BaseInWords(
        "library/debian:9", ("library/debian:stretch",), 1, "base", "annotation"
    )


def test_an_annotation_that_the_layers_contradict_counts_for_nothing(
    database: Database,
) -> None:
    fleet = Fleet(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    slim = built([a_layer("slim", 2000)])
    fleet.base("library/python", {"3-slim": slim})
    liar = built([a_layer("app")], below=DEBIAN, says="python:3-slim")
    stranger = built([a_layer("other", 3000)], digest=slim.digest)

    found = fleet.push(liar)

    assert found == BaseInWords("library/debian:stretch", (), 1, "base", "layers")
    assert fleet.push(stranger) is None


def test_a_claim_that_the_layers_contradict_is_counted_nowhere(
    database: Database,
) -> None:
    fleet = Fleet(database)
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


def test_the_base_is_looked_for_again_once_a_config_comes(database: Database) -> None:
    fleet = Fleet(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    image = built([], "LABEL team=shop", below=DEBIAN, at=BUILT_AT + HOUR)
    bare = replace(image, lines=(), history_alignment="unresolved")
    assert fleet.push(bare) is None

    with database.write() as connection:
        keep_configs(connection, [image])

    found = fleet.base_of(image)
    assert found is not None
    assert found.reference == "library/debian:stretch"


def test_an_annotation_of_an_unknown_base_makes_a_relative_of_what_lies_below(
    database: Database,
) -> None:
    fleet = Fleet(database)
    fleet.base("library/debian", {"stretch": DEBIAN})
    image = built([a_layer("app")], below=DEBIAN, says="registry.example/acme/base:1")

    found = fleet.push(image)

    assert found == BaseInWords("library/debian:stretch", (), 1, "relative", "layers")


def test_the_sweep_keeps_what_annotations_say(database: Database) -> None:
    fleet = Fleet(database)
    image = built([a_layer("app")], below=DEBIAN, says="debian:stretch")
    before = fleet.push(image)

    fleet.base("library/debian", {"stretch": DEBIAN})
    fleet.sweep()

    assert before is not None
    assert before.layers is None
    assert fleet.base_of(image) == BaseInWords(
        "library/debian:stretch", (), 1, "base", "annotation"
    )


def test_layers_of_an_empty_folder_are_nobodys_base(database: Database) -> None:
    fleet = Fleet(database)
    empty = a_layer("empty", 32)
    fleet.base("acme/odd", {"1": built([empty])})

    assert fleet.push(built([empty, a_layer("app")])) is None


def test_images_of_any_other_repository_are_no_bases(database: Database) -> None:
    fleet = Fleet(database)
    fleet.base("acme/other", {"1": DEBIAN}, is_marked=False)

    assert fleet.push(APP) is None
    with database.read() as connection:
        assert connection.execute(select(base_chains.c.id)).first() is None


def test_a_push_asks_as_often_however_many_bases_are_known(
    database: Database,
) -> None:
    """Of an image on a base: its layers, and whether its repository is a base."""
    fleet = Fleet(database)
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
