"""Which tags of a base's repository are read."""

from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest
from weighbridge.domain.base.tags_to_read import tags_to_read
from weighbridge.domain.registry.listing import TagSeen


def seen(*names: str) -> list[TagSeen]:
    return [TagSeen(name) for name in names]


def names(found: list[TagSeen]) -> list[str]:
    return [tag.name for tag in found]


def test_tags_in_use_come_first_and_the_newest_of_each_kind_next() -> None:
    listed = seen("3.11", "3.12", "3.9-slim", "latest", "3.12-slim", "3.12.1", "3.10")

    found = tags_to_read(listed, {"3.9-slim", "2.7"}, newest=5)

    assert names(found) == ["3.9-slim", "latest", "3.12", "3.12.1", "3.12-slim", "3.11"]


def test_other_tags_of_an_image_that_is_read_cost_nothing() -> None:
    one, other = a_digest("one"), a_digest("other")
    listed = [
        TagSeen("3", one),
        TagSeen("3.12", one),
        TagSeen("bookworm", one),
        TagSeen("2", other),
    ]

    assert names(tags_to_read(listed, {"3.12"}, newest=0)) == ["3.12", "3", "bookworm"]


def test_so_many_at_most() -> None:
    listed = seen(*(f"1.{n}" for n in range(500)))

    found = tags_to_read(listed, {tag.name for tag in listed}, newest=7, most_in_use=9)

    assert len(found) == 16
    assert found[0].name == "1.499"


TAGS = st.lists(
    st.builds(
        TagSeen,
        st.from_regex(r"\A[a-z0-9][a-z0-9.-]{0,6}\Z"),
        st.sampled_from([None, a_digest("a"), a_digest("b"), a_digest("c")]),
    ),
    max_size=30,
)


@given(TAGS, st.sets(st.sampled_from(["1", "latest", "a"])), st.integers(0, 10))
def test_each_tag_comes_once_and_is_listed(
    listed: list[TagSeen], in_use: set[str], newest: int
) -> None:
    found = tags_to_read(listed, in_use, newest=newest)

    by_name = {tag.name: tag for tag in listed}
    assert len(found) == len(set(names(found)))
    assert all(by_name[tag.name] == tag for tag in found)
    used = {name for name in in_use if name in by_name}
    assert used <= set(names(found))
    asked = {tag.digest or tag.name for tag in found} - {
        by_name[name].digest or name for name in used
    }
    assert len(asked) <= newest


def test_the_slimmer_variants_of_a_tag_in_use_are_read_as_well() -> None:
    listed = seen("3.9", "3.9-slim", "3.9-alpine", "3.9-alpine3.17", "3.10-slim")

    found = tags_to_read(listed, {"3.9"}, newest=0)

    assert names(found) == ["3.9", "3.9-slim", "3.9-alpine"]


def test_tags_for_windows_alone_are_left_out_unless_they_are_wanted() -> None:
    listed = seen("latest", "nanoserver", "windowsservercore-ltsc2022")

    assert names(tags_to_read(listed, (), systems={"linux"})) == ["latest"]
    assert len(tags_to_read(listed, (), systems={"linux", "windows"})) == 3
