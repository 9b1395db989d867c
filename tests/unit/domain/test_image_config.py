"""Configs are optional in every member, and never cost an image its sizes."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import (
    CREATED_AT,
    Served,
    a_config,
    a_digest,
    a_manifest,
    a_served_image,
    some_layers,
)
from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, digest_of
from weighbridge.domain.image.document import (
    HistoryEntry,
    Image,
    ImageConfig,
    Manifest,
    Problem,
)
from weighbridge.domain.image.image_config import build_image, parse_config
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.image.platform import UNKNOWN, Platform
from weighbridge.errors import DocumentError, WeighbridgeError

AMD64 = Platform("linux", "amd64")


def parsed(served: Served) -> ImageConfig:
    return parse_config(served.raw, served.digest)


def as_written(document: object) -> Served:
    return Served(json.dumps(document).encode(), "")


def refusal(raw: bytes, digest: Digest | None = None) -> str:
    """The code with which the config is refused."""
    with pytest.raises(DocumentError) as caught:
        parse_config(raw, digest or digest_of(raw))
    assert len(caught.value.message) < 300
    return caught.value.code


def a_parsed_manifest(*compressed_bytes: int) -> Manifest:
    served = a_manifest(some_layers(*compressed_bytes))
    manifest = parse_manifest(served.raw, served.media_type)
    assert isinstance(manifest, Manifest)
    return manifest


def an_image_with(config: Served, layers: int, hint: Platform | None = None) -> Image:
    manifest = a_parsed_manifest(*[100] * layers)
    return build_image(manifest, parsed(config), hint)


def test_a_config_says_platform_time_layers_and_history() -> None:
    served = a_config(
        1,
        history=[
            {"created": "2024-05-06T07:08:09Z", "created_by": "RUN x", "comment": "c"},
            {"created_by": "ENV a=b", "empty_layer": True},
            {"empty_layer": False},
        ],
    )

    assert parsed(served) == ImageConfig(
        digest=served.digest,
        config_bytes=len(served.raw),
        platform=AMD64,
        created_at=CREATED_AT,
        diff_ids=(a_digest(("diff", 0)),),
        history=(
            HistoryEntry("RUN x", CREATED_AT, None, "c"),
            HistoryEntry("ENV a=b", None, True, ""),
            HistoryEntry("", None, False, ""),
        ),
    )


@pytest.mark.parametrize(
    "document",
    [
        {},
        {
            "architecture": None,
            "os": None,
            "created": None,
            "config": None,
            "rootfs": None,
            "history": None,
        },
        {"rootfs": {}, "history": []},
        {"rootfs": {"type": None, "diff_ids": None}},
    ],
)
def test_every_member_may_be_missing_or_null(document: object) -> None:
    config = parsed(as_written(document))

    assert config.platform == UNKNOWN
    assert config.created_at is None
    assert config.diff_ids == ()
    assert config.history == ()


def test_members_of_a_history_entry_may_be_null() -> None:
    entry = {"created": None, "created_by": None, "comment": None, "empty_layer": None}

    assert parsed(a_config(history=[entry])).history == (HistoryEntry(""),)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("RUN <script>alert('x')</script>", id="config_blob-001"),
        pytest.param("RUN y\r\nfake log line \x1b[2J\u202e", id="config_blob-002"),
        pytest.param('=HYPERLINK("http://attacker.example")', id="config_blob-003"),
        pytest.param("x" * 3 * limits.MIB, id="config_blob-012"),
    ],
)
def test_the_text_of_a_history_entry_is_handed_on_untouched(text: str) -> None:
    (entry,) = parsed(a_config(history=[{"created_by": text}])).history

    assert entry.created_by == text


def test_config_blob_012_a_line_of_megabytes_is_cut_in_the_image() -> None:
    config = a_config(1, history=[{"created_by": "RUN " + "x" * 3 * limits.MIB}])

    (line,) = an_image_with(config, layers=1).lines

    assert len(line.instruction) <= limits.INSTRUCTION_CHARACTERS


def test_config_blob_008_a_config_above_the_cap_is_refused() -> None:
    raw = a_config(label="x" * limits.CONFIG_BODY_BYTES).raw

    assert refusal(raw) == "config_too_large"


def test_config_blob_009_other_bytes_than_those_asked_for_are_refused() -> None:
    served = a_config()

    assert refusal(served.raw + b" ", served.digest) == "digest_mismatch"


@pytest.mark.parametrize(
    "created",
    [
        "0000-00-00T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-01:00",
        "2025-13-40T25:61:61Z",
        "2025-02-30T00:00:00Z",
        "2025-W05-1T00:00:00Z",
        "2025-01-01",
        "2025-01-01T00:00:00",
        "2025-01-01T00:00:00Z\n",
        "\u0662025-01-01T00:00:00Z",
        "1e308",
        "",
        1e308,
        424242,
        True,
        None,
        [],
        {},
    ],
)
def test_config_blob_010_a_time_out_of_range_is_no_time(created: object) -> None:
    config = parsed(
        a_config(history=[{"created": created}], written={"created": created})
    )

    assert config.created_at is None
    assert config.history == (HistoryEntry(""),)


@pytest.mark.parametrize(
    ("created", "moment"),
    [
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2023-01-24T00:48:44Z", datetime(2023, 1, 24, 0, 48, 44, tzinfo=UTC)),
        (
            "2023-01-24T02:48:44.123456789+02:00",
            datetime(2023, 1, 24, 0, 48, 44, 123456, tzinfo=UTC),
        ),
        (
            "2023-01-24T00:48:44.123456789012Z",
            datetime(2023, 1, 24, 0, 48, 44, 123456, tzinfo=UTC),
        ),
        (
            "9999-12-31T23:59:59.999999999Z",
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ),
    ],
)
def test_a_time_is_read_to_the_microsecond_in_utc(
    created: str, moment: datetime
) -> None:
    config = parsed(a_config(created=created))

    assert config.created_at == moment


@pytest.mark.parametrize(
    "diff_ids",
    [
        "sha256",
        {"0": "x"},
        [None],
        [a_digest(1), "sha256:short"],
        [a_digest(1), 7],
        [str(a_digest(1)).upper()],
        [a_digest(1)] * (limits.LAYERS + 1),
    ],
)
def test_diff_ids_are_all_good_or_none_is_kept(diff_ids: object) -> None:
    config = parsed(a_config(rootfs={"type": "layers", "diff_ids": diff_ids}))

    assert config.diff_ids == ()
    assert len(config.history) == 1


@pytest.mark.parametrize(
    ("changes", "platform"),
    [
        ({"architecture": "arm64", "variant": "v8"}, Platform("linux", "arm64")),
        ({"architecture": "arm"}, Platform("linux", "arm", "v7")),
        ({"architecture": "arm", "variant": "v6"}, Platform("linux", "arm", "v6")),
        (
            {"os": "windows", "os.version": "10.0.17763.1"},
            Platform("windows", "amd64", "", "10.0.17763.1"),
        ),
        ({"os": None}, UNKNOWN),
        ({"os": ""}, UNKNOWN),
        ({"architecture": 64}, UNKNOWN),
        ({"architecture": "amd64\n"}, UNKNOWN),
        ({"os": "x" * 65}, UNKNOWN),
        ({"variant": ["v8"]}, UNKNOWN),
    ],
)
def test_a_platform_is_normalised_or_unknown(
    changes: dict[str, object], platform: Platform
) -> None:
    assert parsed(a_config(written=changes)).platform == platform


@pytest.mark.parametrize(
    "document",
    [
        [],
        "config",
        None,
        7,
        {"rootfs": []},
        {"rootfs": "layers"},
        {"history": {}},
        {"history": "RUN x"},
        {"history": [None]},
        {"history": ["RUN x"]},
        {"history": [{"created_by": ["RUN", "x"]}]},
        {"history": [{"comment": 1}]},
        {"history": [{"empty_layer": "true"}]},
        {"history": [{"empty_layer": 1}]},
        {"history": [{}] * (limits.HISTORY_ENTRIES + 1)},
    ],
)
def test_a_config_of_another_form_is_refused(document: object) -> None:
    assert refusal(as_written(document).raw) == "invalid_config"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid_json"),
        (b"<html>", "invalid_json"),
        (b"[" * 70_000, "invalid_json"),
        (b'{"os":"linux","os":"windows"}', "duplicate_key"),
        (b'{"os":"linux","OS":"windows"}', "ambiguous_manifest"),
    ],
)
def test_a_config_that_is_read_in_two_ways_is_refused(raw: bytes, code: str) -> None:
    assert refusal(raw) == code


def test_labels_may_differ_by_case_alone() -> None:
    labels = {"History": "1", "history": "2", "OS": "3"}

    assert parsed(a_config(config={"Labels": labels})).platform == AMD64


def test_an_image_joins_a_manifest_with_its_config() -> None:
    served = a_served_image(some_layers(300, 20))
    manifest = parse_manifest(served.manifest.raw, served.manifest.media_type)
    assert isinstance(manifest, Manifest)

    image = build_image(manifest, parsed(served.config))

    assert image.digest == served.manifest.digest
    assert image.compressed_bytes == 320
    assert image.platform == AMD64
    assert image.created_at == CREATED_AT
    assert image.history_alignment == "exact"
    assert [(line.instruction, line.layer) for line in image.lines] == [
        ("RUN step-0", 0),
        ("RUN step-1", 1),
    ]
    assert len(image.diff_ids) == 2
    assert image.problems == ()


def test_config_blob_007_an_image_without_a_config_keeps_its_sizes() -> None:
    problem = Problem("config_size_mismatch", "the config is longer than it says")

    image = build_image(a_parsed_manifest(300, 20), None, AMD64, (problem,))

    assert image.compressed_bytes == 320
    assert image.platform == AMD64
    assert image.problems == (problem,)
    assert image.created_at is None
    assert image.diff_ids == ()
    assert image.history_alignment == "unresolved"
    assert [line.layer for line in image.lines] == [0, 1]


def test_config_blob_005_a_short_history_leaves_sizes_exact_and_is_said() -> None:
    config = a_config(3, history=[{"created_by": "RUN x"}])

    image = an_image_with(config, layers=3)

    assert image.compressed_bytes == 300
    assert [layer.compressed_bytes for layer in image.layers] == [100, 100, 100]
    assert image.history_alignment != "exact"
    assert "history_mismatch" in [problem.code for problem in image.problems]


def test_diff_ids_that_do_not_fit_the_layers_are_left_out() -> None:
    assert an_image_with(a_config(3), layers=2).diff_ids == ()


@pytest.mark.parametrize(
    ("changes", "hint", "platform"),
    [
        ({}, None, AMD64),
        ({}, UNKNOWN, AMD64),
        ({}, Platform("linux", "arm64"), AMD64),
        ({"os": None}, Platform("linux", "arm64"), Platform("linux", "arm64")),
        ({"os": None}, None, UNKNOWN),
        # A config that leaves the variant out is completed by the index.
        (
            {"architecture": "arm"},
            Platform("linux", "arm", "v6"),
            Platform("linux", "arm", "v6"),
        ),
        (
            {"architecture": "arm", "variant": "v6"},
            Platform("linux", "arm", "v7"),
            Platform("linux", "arm", "v6"),
        ),
        (
            {"os": "windows"},
            Platform("windows", "amd64", "", "10.0.20348.1"),
            Platform("windows", "amd64", "", "10.0.20348.1"),
        ),
    ],
)
def test_the_platform_is_the_configs_completed_by_the_indexs(
    changes: dict[str, object], hint: Platform | None, platform: Platform
) -> None:
    image = an_image_with(a_config(1, written=changes), layers=1, hint=hint)

    assert image.platform == platform


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["created", "created_by", "empty_layer", "diff_ids"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.binary())
def test_any_bytes_are_a_config_or_our_error(raw: bytes) -> None:
    try:
        config = parse_config(raw, digest_of(raw))
    except WeighbridgeError:
        return

    assert config.config_bytes == len(raw)


@given(
    st.dictionaries(
        st.sampled_from(
            ["os", "architecture", "variant", "created", "rootfs", "history", "OS"]
        ),
        _JSON,
    )
)
def test_any_object_is_a_config_that_makes_an_image_or_our_error(
    document: dict[str, object],
) -> None:
    raw = json.dumps(document).encode()
    manifest = a_parsed_manifest(300, 20)

    try:
        config = parse_config(raw, digest_of(raw))
    except WeighbridgeError:
        return

    assert build_image(manifest, config).compressed_bytes == 320
