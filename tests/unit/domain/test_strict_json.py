"""JSON that two readers could understand differently is not read at all."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain import limits
from weighbridge.domain.text.strict_json import members, parse_json, shape
from weighbridge.errors import DocumentError, WeighbridgeError


def test_ordinary_json_is_read_as_it_is() -> None:
    value = parse_json(b' {"a": [1, 2.5, true, null, "\\u00e9"], "b": {}}\n')

    assert value == {"a": [1, 2.5, True, None, "é"], "b": {}}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"{",
        b'{"a": 1} x',
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[1, 2",
        b"\xff\xfe{\x00}\x00",
        '{"a": 1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b'{"a": "\xe9"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "line\nbreak"}',
        b'{"a": "\\x41"}',
        b'{"a": 01}',
        b'{"a": 1e999}',
        b"\x1f\x8b\x08\x00",
    ],
)
def test_what_is_not_json_in_utf8_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(raw)

    assert caught.value.code == "invalid_json"


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_manifest_016_numbers_that_json_does_not_know_are_refused(
    constant: str,
) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(f'{{"size": {constant}}}'.encode())

    assert caught.value.code == "invalid_json"


def test_manifest_019_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(b'{"size": ' + b"7" * 6000 + b"}")

    assert caught.value.code == "invalid_json"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"size": 1, "size": 2}',
        b'{"size": 1, "size": 1}',
        b'[{"a": {"b": 1, "c": 2, "b": 3}}]',
        b'{"si\\u007ae": 1, "size": 2}',
    ],
)
def test_manifest_020_a_name_that_appears_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(raw)

    assert caught.value.code == "duplicate_key"


def test_the_message_about_a_repeated_name_is_short_and_printable() -> None:
    name = "\u202e" + "n" * 100_000

    with pytest.raises(DocumentError) as caught:
        parse_json(f'{{"{name}": 1, "{name}": 2}}'.encode())

    assert len(caught.value.message) < 200
    assert caught.value.message.isascii()


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 90_000 + b"]" * 90_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"[" * 200_000,
        b"[" * (limits.JSON_DEPTH + 1) + b"]" * (limits.JSON_DEPTH + 1),
    ],
)
def test_manifest_023_deep_nesting_is_refused_and_the_process_lives(raw: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_json(raw)

    assert caught.value.code == "invalid_json"


def test_nesting_up_to_the_limit_is_read() -> None:
    raw = b"[" * limits.JSON_DEPTH + b"]" * limits.JSON_DEPTH

    assert json.loads(raw) == parse_json(raw)


@pytest.mark.parametrize("container", [b"[]", b"{}"])
def test_more_containers_than_are_counted_are_not_made(container: bytes) -> None:
    most = [container] * (limits.JSON_CONTAINERS - 1)

    read = parse_json(b"[" + b",".join(most) + b"]")

    assert isinstance(read, list)
    assert len(read) == limits.JSON_CONTAINERS - 1
    with pytest.raises(DocumentError, match="200000 lists and objects") as caught:
        parse_json(b"[" + b",".join([*most, container]) + b"]")

    assert caught.value.code == "invalid_json"


def test_the_depth_that_is_read_does_not_depend_on_the_callers_stack() -> None:
    raw = b"[" * limits.JSON_DEPTH + b"]" * limits.JSON_DEPTH

    def deeper(calls: int) -> object:
        return parse_json(raw) if calls == 0 else deeper(calls - 1)

    assert json.loads(raw) == deeper(sys.getrecursionlimit() // 2)


def test_many_brackets_are_not_depth() -> None:
    raw = b"[" + b"[]," * 5000 + b"{}]"

    assert json.loads(raw) == parse_json(raw)


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    raw = b'{"a\\ud800": ["\\uDC00x", "\\ud83d\\ude00", "\\\\ud800"]}'

    assert parse_json(raw) == {"a\ufffd": ["\ufffdx", "😀", "\\ud800"]}


NAMES = shape("layers", "mediaType", "os.version")


@pytest.mark.parametrize(
    "raw",
    [
        b'{"layers": [], "Layers": []}',
        b'{"Layers": []}',
        b'{"mediatype": ""}',
        b'{"OS.Version": ""}',
        '{"layer\u017f": []}'.encode(),  # Go folds the long s as well
    ],
)
def test_manifest_022_a_name_in_another_case_is_ambiguous(raw: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        members(parse_json(raw), NAMES)

    assert caught.value.code == "ambiguous_manifest"


def test_names_that_no_schema_knows_may_differ_by_case() -> None:
    value = parse_json(b'{"layers": [], "x": 1, "X": 2}')

    assert value == members(value, NAMES)


@pytest.mark.parametrize("raw", [b"[]", b'"layers"', b"1", b"null"])
def test_what_is_no_object_has_no_members(raw: bytes) -> None:
    assert members(parse_json(raw), NAMES) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_JSON)
def test_what_python_writes_is_read_back(value: object) -> None:
    raw = json.dumps(value).encode()

    assert value == parse_json(raw)


@given(st.binary() | st.text(alphabet='{}[]":,\\ud8tfnN01e-. ').map(str.encode))
def test_any_bytes_are_a_value_or_our_error(raw: bytes) -> None:
    try:
        value = parse_json(raw)
    except WeighbridgeError:
        return

    json.dumps(value, ensure_ascii=False).encode()
