"""What documents say is kept once, as it was first said."""

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, select, text

from support.images import (
    OCI_INDEX,
    OCI_MANIFEST,
    a_digest,
    a_layer,
    an_artifact_of,
    an_image,
    an_index_of,
    some_layers,
)
from support.rows_written import rows_written
from support.store_world import World
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    Child,
    Descriptor,
    Document,
    Image,
    Index,
    Line,
    Problem,
    Unweighable,
)
from weighbridge.domain.image.platform import Platform
from weighbridge.store.facts.images import find_known, keep_documents
from weighbridge.store.facts.stored_images import load_images
from weighbridge.store.models import blobs, index_members, layers, lines
from weighbridge.store.models.types import LARGEST
from weighbridge.store.session import Database

ARM = Platform("linux", "arm64")


def keep(
    database: Database, *documents: Document, missing: dict[Digest, str] | None = None
) -> None:
    with database.write() as connection:
        keep_documents(connection, documents, missing or {})


def blob_row(database: Database, digest: Digest) -> dict[str, object]:
    with database.read() as connection:
        row = connection.execute(select(blobs).where(blobs.c.digest == digest)).one()
    return dict(row._mapping)


def id_of(connection: Connection, digest: Digest) -> int:
    found: int = connection.execute(
        select(blobs.c.id).where(blobs.c.digest == digest)
    ).scalar_one()
    return found


def stored_again(database: Database, image: Image) -> Image:
    with database.read() as connection:
        image_id = id_of(connection, image.digest)
        return load_images(connection, [image_id])[image_id].image


def a_child(digest: Digest) -> Child:
    return Child(Descriptor(OCI_MANIFEST, digest, 500, platform=ARM), "image")


def test_an_image_comes_back_as_it_was_kept(database: Database) -> None:
    image = an_image(
        some_layers(900, 80, 7),
        platform=Platform("windows", "amd64", "", "10.0.20348.1"),
        lines=[
            Line("FROM scratch", None, None),
            Line("RUN make", datetime(1999, 12, 31, 23, 59, 59, 123456, UTC), 0),
            Line("COPY ü /", None, 2),
        ],
        history_alignment="inferred",
        problems=[Problem("history_mismatch", "two layers have no line")],
    )

    keep(database, image)

    assert stored_again(database, image) == replace(image, diff_ids=())


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_layer_that_occurs_twice_comes_back_twice_and_weighs_once(
    database: Database,
) -> None:
    empty = a_layer("empty", 32)
    image = an_image([empty, a_layer("big", 5000), empty])

    keep(database, image)

    assert stored_again(database, image).layers == (empty, a_layer("big", 5000), empty)
    with database.read() as connection:
        facts = connection.execute(text("SELECT * FROM image_facts")).one()
    assert facts.compressed_bytes == 5032


def test_a_sha512_digest_is_kept_whole(database: Database) -> None:
    layer = a_layer()._replace(digest=Digest(f"sha512:{'ab' * 64}"))
    image = an_image([layer, a_layer("other")])

    keep(database, image)

    assert stored_again(database, image).layers == image.layers


def test_the_view_shows_digests_and_platforms_as_text(database: Database) -> None:
    image = an_image(some_layers(70, 30), platform=Platform("linux", "arm", "v7"))
    keep(database, image)

    with database.read() as connection:
        row = connection.execute(text("SELECT * FROM image_facts")).one()

    assert tuple(row) == (image.digest, "linux/arm/v7", 100, None, None)
    assert row._fields == (
        "digest",
        "platform",
        "compressed_bytes",
        "uncompressed_bytes",
        "uncompressed_confidence",
    )


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_instruction_is_stored_once_for_all_images(database: Database) -> None:
    first, second = an_image(some_layers(1, 2)), an_image(some_layers(1, 2, 3))

    keep(database, first, second)
    keep(database, an_image(some_layers(9, name="other")))

    with database.read() as connection:
        texts = connection.execute(text("SELECT text FROM instructions")).scalars()
        assert sorted(texts) == ["RUN step-0", "RUN step-1", "RUN step-2"]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_lines_of_an_image_are_one_value(database: Database) -> None:
    created = datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    image = an_image([a_layer()], lines=[Line("A", created, 0), Line("B", None, None)])

    keep(database, image)

    with database.read() as connection:
        entries = connection.execute(select(lines.c.entries)).scalar_one()
        rows = connection.execute(text("SELECT text, id FROM instructions"))
        ids = {row.text: row.id for row in rows}
    assert json.loads(entries) == [[ids["A"], 2_000_000, 0], [ids["B"], None, None]]


def test_keeping_a_document_again_writes_nothing(database: Database) -> None:
    image = an_image(some_layers(900, 80))
    index = an_index_of(image)
    artifact = an_artifact_of(a_layer("sbom", 70))
    absent = a_digest("absent")
    broken = Index(a_digest("i"), OCI_INDEX, 90, (a_child(absent),))
    documents = (image, index, artifact, broken)
    keep(database, *documents, missing={absent: "not_found"})

    with database.write() as connection:
        before = rows_written(connection)
        keep_documents(connection, documents, {absent: "not_found"})
        after = rows_written(connection)

    assert after == before


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_conflicting_size_is_flagged_and_not_taken(database: Database) -> None:
    keep(database, an_image([a_layer("shared", 1000), a_layer("one", 1)]))

    liar = an_image([a_layer("shared", 3), a_layer("two", 2)])
    keep(database, liar)

    row = blob_row(database, a_digest("shared"))
    assert (row["compressed_bytes"], row["has_conflict"]) == (1000, True)
    assert blob_row(database, a_digest("one"))["has_conflict"] is False
    with database.read() as connection:
        # A size belongs to the manifest that states it.
        totals = connection.execute(text("SELECT compressed_bytes FROM image_facts"))
        assert sorted(totals.scalars()) == [5, 1001]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_false_size_changes_no_honest_image_that_comes_later(
    database: Database,
) -> None:
    keep(database, an_image([a_layer("shared", 2**44)]))

    keep(database, an_image([a_layer("shared", 1000), a_layer("own", 7)]))

    with database.read() as connection:
        totals = connection.execute(text("SELECT compressed_bytes FROM image_facts"))
        assert sorted(totals.scalars()) == [1007, 2**44]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_layer_that_one_manifest_has_here_is_here(database: Database) -> None:
    keep(database, an_image([a_layer("shared", 5, is_foreign=True)]))

    keep(database, an_image([a_layer("shared", 1000), a_layer("own", 7)]))

    row = blob_row(database, a_digest("shared"))
    assert row["is_foreign"] is False
    # They disagree about its size: neither counts until the registry was asked.
    assert (row["has_conflict"], row["is_layer"]) == (True, True)


def test_a_conflict_within_one_batch_is_flagged(database: Database) -> None:
    keep(
        database,
        an_image([a_layer("shared", 1000)]),
        an_image([a_layer("shared", 999)]),
    )

    assert blob_row(database, a_digest("shared"))["has_conflict"] is True


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_the_length_that_we_counted_beats_what_an_index_claims(
    database: Database,
) -> None:
    image = an_image()
    lying = Index(a_digest("i"), OCI_INDEX, 90, (a_child(image.digest),))

    keep(database, lying, image)

    row = blob_row(database, image.digest)
    assert row["read_bytes"] == image.manifest.manifest_bytes
    assert row["counted_bytes"] == image.manifest.manifest_bytes
    assert row["has_conflict"] is True


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_foreign_layer_counts_nothing_until_its_registry_was_asked(
    database: Database,
) -> None:
    keep(database, an_image([a_layer("windows", 10**9, is_foreign=True)]))

    row = blob_row(database, a_digest("windows"))

    assert (row["is_foreign"], row["counted_bytes"]) == (True, 0)


def test_a_foreign_layer_weighs_in_a_pull_and_not_in_storage(world: World) -> None:
    image = an_image([a_layer("windows", 10**9, is_foreign=True), a_layer("own", 50)])
    world.crawl({"ltsc": image})

    report = world.report()

    assert report.newest_compressed_bytes == 10**9 + 50
    assert report.referenced_bytes == image.stored_bytes


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_what_a_builder_wrote_is_kept_for_its_own_manifest(database: Database) -> None:
    keep(database, an_image([a_layer("e", 10, annotated_uncompressed_bytes=4096)]))
    keep(database, an_image([a_layer("e", 10), a_layer("f", 11)]))

    with database.read() as connection:
        found = connection.execute(
            select(layers.c.annotated_uncompressed_bytes).order_by(
                layers.c.image_id, layers.c.position
            )
        ).scalars()
        assert list(found) == [4096, None, None]


def test_an_annotation_beyond_64_bits_does_not_stop_a_batch(
    database: Database,
) -> None:
    keep(database, an_image([a_layer("e", 10, annotated_uncompressed_bytes=10**30)]))

    with database.read() as connection:
        found = connection.execute(select(layers.c.annotated_uncompressed_bytes))
        assert found.scalar_one() == LARGEST


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_children_keep_their_order_and_roles(database: Database) -> None:
    one, two = an_image([a_layer("1")]), an_image([a_layer("2")], platform=ARM)
    attestation = an_artifact_of(a_layer("statement", 40))
    entry = Child(Descriptor(OCI_MANIFEST, attestation.digest, 500), "attestation")
    index = an_index_of(two, one, others=[entry])

    keep(database, one, two, attestation, index)

    with database.read() as connection:
        rows = connection.execute(
            select(blobs.c.digest, index_members.c.role)
            .join_from(index_members, blobs, blobs.c.id == index_members.c.child_id)
            .order_by(index_members.c.position)
        ).all()
    assert [tuple(row) for row in rows] == [
        (two.digest, "image"),
        (one.digest, "image"),
        (attestation.digest, "attestation"),
    ]


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_artifact_is_no_image_and_its_blobs_are_not_measured(
    database: Database,
) -> None:
    chart = an_artifact_of(
        a_layer("chart", 6000), artifact_type="application/x", role="artifact"
    )

    keep(database, chart)

    with database.read() as connection:
        assert connection.execute(text("SELECT * FROM image_facts")).all() == []
        assert len(connection.execute(select(layers)).all()) == 1
    assert blob_row(database, a_digest("chart"))["is_layer"] is False
    assert blob_row(database, chart.digest)["facts_state"] == "artifact"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_artifacts_blob_that_turns_up_as_a_layer_is_measured_after_all(
    database: Database,
) -> None:
    keep(database, an_artifact_of(a_layer("both", 6000)))

    keep(database, an_image([a_layer("both", 6000)]))

    assert blob_row(database, a_digest("both"))["is_layer"] is True


@pytest.mark.long_on("postgresql")  # the rest of this file has it
@pytest.mark.parametrize("reason", ["schema1", "unknown_media_type"])
def test_manifest_046_an_unweighable_manifest_is_known_with_its_reason(
    database: Database, reason: str
) -> None:
    old = Unweighable(a_digest("old"), "application/x", 700, reason)

    keep(database, old)

    row = blob_row(database, old.digest)
    assert (row["facts_state"], row["facts_code"]) == ("unweighable", reason)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_only_digests_whose_facts_are_whole_are_known(database: Database) -> None:
    image, absent = an_image([a_layer("layer")]), a_digest("absent")
    whole = Index(a_digest("w"), OCI_INDEX, 90, (a_child(image.digest),))
    lacking = Index(
        a_digest("i"), OCI_INDEX, 90, (a_child(image.digest), a_child(absent))
    )
    keep(database, image, whole, lacking, missing={absent: "not_found"})
    asked = {
        image.digest,
        whole.digest,
        lacking.digest,
        absent,
        a_digest("layer"),
        image.manifest.config.digest,
        a_digest("never heard of"),
    }

    with database.read() as connection:
        known = find_known(connection, asked)

    assert known == {image.digest, whole.digest}


def test_a_missing_child_is_a_row_with_its_code(database: Database) -> None:
    absent = a_digest("absent")
    index = Index(a_digest("i"), OCI_INDEX, 90, (a_child(absent),))

    keep(database, index, missing={absent: "not_found"})

    row = blob_row(database, absent)
    assert (row["facts_state"], row["facts_code"]) == ("missing", "not_found")
    assert row["compressed_bytes"] == 500


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_missing_child_of_no_index_at_hand_is_kept_without_a_size(
    database: Database,
) -> None:
    absent = a_digest("absent")

    keep(database, missing={absent: "not_found"})
    assert blob_row(database, absent)["compressed_bytes"] is None

    keep(database, Index(a_digest("i"), OCI_INDEX, 90, (a_child(absent),)))
    row = blob_row(database, absent)
    assert (row["compressed_bytes"], row["has_conflict"]) == (500, False)
    assert row["facts_state"] == "missing"


def test_a_missing_child_that_is_read_at_last_is_known(database: Database) -> None:
    image = an_image()
    index = an_index_of(image)
    keep(database, index, missing={image.digest: "not_found"})

    keep(database, image)

    assert blob_row(database, image.digest)["facts_state"] == "image"
    assert blob_row(database, image.digest)["facts_code"] is None


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_kept_facts_are_never_undone_by_a_later_failure(database: Database) -> None:
    image = an_image()
    keep(database, image)

    keep(database, an_index_of(image), missing={image.digest: "not_found"})

    assert blob_row(database, image.digest)["facts_state"] == "image"


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_an_image_without_layers_or_lines_is_kept(database: Database) -> None:
    image = an_image([], lines=[])

    keep(database, image)

    assert stored_again(database, image).layers == ()


def test_a_lone_surrogate_in_a_text_stops_nothing(database: Database) -> None:
    image = an_image([a_layer()], lines=[Line("RUN \ud800", None, 0)])

    keep(database, image)

    assert stored_again(database, image).lines[0].instruction == "RUN ?"
