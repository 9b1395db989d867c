"""The strict YAML reader: lines are known, nothing is constructed, nothing grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.config.yaml.reader import (
    DOCUMENT_BYTES,
    Document,
    line_of,
    plain,
    read_document,
)


def read(text: str) -> Document:
    return read_document(text.encode())


def values(text: str) -> object:
    document = read(text)
    assert document.root is not None
    return plain(document.root)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-05-06", "2024-05-06"),
        ("0x1f", "0x1f"),
        ("1h", "1h"),
        ("1e999", "1e999"),
        ("~", None),
        ("", None),
        ("true", True),
        ("FALSE", False),
        ("-7", -7),
        ("010", 10),
        ("2.5", 2.5),
        ("'7'", "7"),
        ('"true"', "true"),
        ("!!str 7", "7"),
    ],
)
def test_a_scalar_is_read_by_the_core_schema_of_yaml_1_2(
    written: str, value: object
) -> None:
    assert values(f"key: {written}") == {"key": value}


def test_every_path_knows_the_line_of_its_key() -> None:
    root = read("a: 1\nb:\n  - c: 2\n\n  - d:\n      e: 3\n").root

    assert root is not None
    assert line_of(root, ("b",)) == 2
    assert line_of(root, ("b", 0, "c")) == 3
    assert line_of(root, ("b", 1, "d", "e")) == 6
    assert line_of(root, ("b", 1, "d", "unknown", 7)) == 5


def test_aliases_are_written_out_where_they_stand() -> None:
    text = "one: &limits {concurrency: 2}\ntwo: *limits\n"

    assert values(text) == {"one": {"concurrency": 2}, "two": {"concurrency": 2}}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: !!python/object/apply:os.getpid []\n", id="config_file-001"),
        pytest.param("a: !!python/name:os.system x\n", id="a name"),
        pytest.param("a: !local b\n", id="a tag of ours"),
    ],
)
def test_no_tag_is_obeyed(text: str) -> None:
    (fault,) = read(text).faults

    assert (fault.line, fault.path, fault.code) == (1, ("a",), "unsafe_yaml")


@pytest.mark.parametrize("levels", [pytest.param(9, id="config_file-002"), 40])
def test_a_bomb_of_aliases_does_not_go_off(levels: int) -> None:
    lines = ["k0: &k0 [y, y, y, y, y, y, y, y, y, y]"]
    for level in range(1, levels):
        alias = ", ".join([f"*k{level - 1}"] * 10)
        lines.append(f"k{level}: &k{level} [{alias}]")
    document = read("\n".join(lines))

    assert document.root is not None
    with pytest.raises(OverflowError):
        plain(document.root)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("web:\n  bind: a\n  bind: b\n", id="config_file-004"),
        pytest.param("web: {bind: a,\n bind: a}\n", id="in braces"),
    ],
)
def test_a_repeated_key_is_a_fault_that_names_the_other_line(text: str) -> None:
    (fault,) = read(text).faults

    assert fault.path == ("web", "bind")
    assert fault.code == "duplicate_key"
    assert "line" in fault.message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb:\n\tc: 2\n", 3, "tab"),
        ("a: [1, 2\n", 1, "bracket"),
        ("a: 'x\n", 1, "quoted"),
        ("a: b: c\n", 1, "colon"),
        ("a: @x\n", 1, "quotes"),
        ("a: *nowhere\n", 1, "alias"),
        ("- a\nb: c\n", 2, "indentation"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("? [a, b]\n: c\n", 1, "key must be a text"),
        ("a: 'x\x00y'\n", 1, "control character"),
        ('a: "\\uD800"\n', 1, "half a character"),
        ('a: "\\UFFFFFFFF"\n', 1, "no character"),
    ],
)
def test_broken_yaml_is_told_with_its_line(text: str, line: int, words: str) -> None:
    (fault,) = read(text).faults

    assert (fault.line, fault.code) == (line, "invalid_yaml")
    assert words in fault.message


@pytest.mark.parametrize("first", "*!&%@")
def test_a_password_without_quotes_is_not_repeated_in_the_fault(first: str) -> None:
    document = read(f"auth:\n  password: {first}hunter2\n")

    assert "hunter2" not in repr(document.faults)


def test_text_that_is_not_utf_8_is_told_with_its_line() -> None:
    (fault,) = read_document(b"a: 1\nb: \xff\n").faults

    assert (fault.line, fault.message) == (2, "is not UTF-8 text")


def test_a_file_of_one_mebibyte_is_read_and_one_byte_more_is_not() -> None:
    most = b"#" * DOCUMENT_BYTES

    assert read_document(most).faults == ()
    assert [f.code for f in read_document(most + b"#").faults] == ["too_large"]


def test_nesting_has_an_end() -> None:
    (fault,) = read("a: " + "[" * 5_000).faults

    assert fault.code == "too_large"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_document(raw: bytes) -> None:
    assert isinstance(read_document(raw), Document)


@given(st.text(":-[]{}&*!|>'\"%#@, \n\tab\\x0u", max_size=80))
def test_any_text_of_yaml_signs_gives_a_document(text: str) -> None:
    assert isinstance(read(text), Document)
