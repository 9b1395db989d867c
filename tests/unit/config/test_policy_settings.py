"""Policies as they are written: their keys, and what is wrong with a value."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.policy_files import FILES, loaded, policy, refused
from weighbridge.config import load_policies
from weighbridge.domain.policy.policy import Limits, Match
from weighbridge.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies.d").mkdir()
    return tmp_path


def test_a_policy_means_what_it_says(folder: Path) -> None:
    text = (
        "policies:\n"
        "  - name: services\n"
        "    match: {registry: harbor, repository: 'shop/*', tag: '*-dev'}\n"
        "    team: shop\n"
        "    max_compressed: 500MB\n"
        "    max_uncompressed: 1.2GiB\n"
        "    max_growth: 12.5%\n"
        "    min_growth: 0B\n"
        "    max_layers: 60\n"
        "    max_layer_compressed: 300MB\n"
        "    max_deduplicated: 200GB\n"
        "    severity: critical\n"
    )

    (found,) = loaded(folder, main=text).policies.policies

    assert found.name == "services"
    assert found.match == Match("harbor", "shop/*", "*-dev")
    assert found.limits == Limits(
        team="shop",
        max_compressed_bytes=500_000_000,
        max_uncompressed_bytes=1_288_490_188,
        max_growth=0.125,
        min_growth_bytes=0,
        max_layers=60,
        max_layer_compressed_bytes=300_000_000,
        max_deduplicated_bytes=200_000_000_000,
        severity="critical",
    )
    assert {key: str(place) for key, place in found.places.items()} == {
        "team": "weighbridge.yaml:4",
        "max_compressed": "weighbridge.yaml:5",
        "max_uncompressed": "weighbridge.yaml:6",
        "max_growth": "weighbridge.yaml:7",
        "min_growth": "weighbridge.yaml:8",
        "max_layers": "weighbridge.yaml:9",
        "max_layer_compressed": "weighbridge.yaml:10",
        "max_deduplicated": "weighbridge.yaml:11",
        "severity": "weighbridge.yaml:12",
    }


@pytest.mark.parametrize("main", ["", "policies: []\n", FILES])
def test_where_no_policy_is_written_the_default_holds(folder: Path, main: str) -> None:
    (only,) = loaded(folder, main=main).policies.policies

    assert only.name == "default"


def test_without_a_configuration_file_the_default_holds(folder: Path) -> None:
    source = load_policies(None, {})

    assert [each.name for each in source.policies.policies] == ["default"]
    assert source.again() is source
    assert source.state() == ()


def test_null_sets_a_key_and_leaving_it_out_does_not(folder: Path) -> None:
    (found,) = loaded(folder, main=policy("max_growth: null")).policies.policies

    assert found.places.keys() == {"max_growth"}
    assert found.limits.max_growth is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        pytest.param(
            "max_compressed: 500",
            "max_compressed = 500  needs a unit: 500MB or 500MiB",
            id="config_file-003 size without a unit",
        ),
        pytest.param(
            "max_compressed: 500Mb",
            "max_compressed = 500Mb  is no number of bytes: units are B, kB, MB",
            id="config_file-003 size in bits",
        ),
        pytest.param(
            "max_uncompressed: 1.2G",
            "is no number of bytes: write 1.2GB",
            id="config_file-003 size with half a unit",
        ),
        pytest.param(
            "max_compressed: -5MB",
            "max_compressed = -5MB  is no number of bytes: write 500MB",
            id="config_file-003 negative size",
        ),
        pytest.param(
            "max_compressed: 0MB",
            "must be more than 0",
            id="config_file-003 size of nothing",
        ),
        pytest.param(
            "min_growth: true",
            "min_growth = true  must be 500MB or 500MiB, or null",
            id="config_file-003 size that is true",
        ),
        pytest.param(
            "max_growth: 25",
            "max_growth = 25  needs a unit: 25%",
            id="config_file-003 percent without sign",
        ),
        pytest.param(
            "max_growth: 0.25",
            "max_growth = 0.25  needs a unit: 25%",
            id="config_file-003 percent as share",
        ),
        pytest.param(
            "max_growth: -25%",
            "is no percentage of 0% or more: write 25% or 12.5%",
            id="config_file-003 negative percent",
        ),
        pytest.param(
            "max_compresed: 5MB",
            "unknown key, did you mean max_compressed?",
            id="config_file-003 unknown key",
        ),
        pytest.param(
            "match: {registries: a}",
            "unknown key, did you mean registry?",
            id="config_file-003 unknown key of match",
        ),
        pytest.param(
            "match: {repository: '(a+)+$'}",
            "is no pattern",
            id="config_file-010 expression",
        ),
        pytest.param(
            f"match: {{registry: '{'a' * 300}'}}",
            "is no pattern",
            id="config_file-010 long",
        ),
        pytest.param("match: shop/*", "must hold keys", id="match that is a text"),
        pytest.param("severity: loud", "one of critical, warning, info", id="severity"),
        pytest.param("severity: null", "one of critical, warning", id="no severity"),
        pytest.param("team: ''", "1 to 63 printable characters", id="empty team"),
        pytest.param("team: 7", "must be a text: put it in quotes", id="number team"),
        pytest.param(f"team: {'x' * 64}", "1 to 63 printable", id="long team"),
    ],
)
@pytest.mark.parametrize("place", ["main", "a"])
def test_a_wrong_value_is_told_with_file_line_and_what_is_right(
    folder: Path, place: str, keys: str, words: str
) -> None:
    files = {"main": policy(keys)} if place == "main" else {"main": FILES}
    if place == "a":
        files["a"] = policy(keys)

    error = refused(folder, **files)

    file = "weighbridge.yaml" if place == "main" else "policies.d/a.yaml"
    assert error.message.startswith(f"{file}:3  policies[0].")
    assert words in error.message


def test_a_repeated_key_of_a_policy_is_refused_config_file_004(folder: Path) -> None:
    error = refused(folder, main=FILES, a=policy("team: a\n    team: b"))

    assert error.code == "duplicate_key"
    assert error.message == (
        "policies.d/a.yaml:4  policies[0].team  is repeated: it stands in line 3 too"
    )


def test_a_tag_of_python_in_a_policy_file_runs_nothing_config_file_001(
    folder: Path,
) -> None:
    witness = folder / "witness"
    text = f"policies: !!python/object/apply:os.mkdir ['{witness}']\n"

    error = refused(folder, main=FILES, a=text)

    assert "policies.d/a.yaml:1" in error.message
    assert not witness.exists()


def test_a_bomb_of_aliases_in_a_policy_file_is_refused_config_file_002(
    folder: Path,
) -> None:
    lines = ["a0: &a0 [z, z, z, z, z, z, z, z]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 10)]

    assert refused(folder, main=FILES, a="\n".join(lines)).code == "too_large"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    text=st.text(max_size=60)
    | st.fixed_dictionaries(
        {},
        optional={
            "policies": st.lists(
                st.dictionaries(
                    st.sampled_from(
                        ["name", "match", "team", "max_compressed", "max_growth", "x"]
                    ),
                    st.none()
                    | st.booleans()
                    | st.integers()
                    | st.sampled_from(["5MB", "5%", "-1MB", "a", ""])
                    | st.dictionaries(
                        st.sampled_from(["registry", "tag"]), st.text(max_size=3)
                    ),
                    max_size=4,
                ),
                max_size=3,
            )
        },
    ).map(str)
)
def test_any_policy_file_gives_policies_or_a_configuration_error(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "any.yaml").write_bytes(text.encode(errors="surrogatepass"))
    (tmp_path / "weighbridge.yaml").write_text("policy_files: [any.yaml]\n")

    with contextlib.suppress(ConfigError):
        found = load_policies(str(tmp_path / "weighbridge.yaml"), {})
        assert len(found.policies.policies) > 0
