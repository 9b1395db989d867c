"""Which tags reports on reclaiming keep: `reclaim` of the configuration."""

import re
from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.domain.reclaim.keep_rules import KeepRules
from weighbridge.errors import ConfigError


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "weighbridge.yaml"
    file.write_text(text)
    return load_settings(str(file), {}, KINDS)


def test_without_the_key_ten_images_ninety_days_and_releases_are_kept(
    tmp_path: Path,
) -> None:
    choice = loaded(tmp_path, "{}").reclaim_choice

    assert choice.rules == KeepRules(10, 90, ("latest", "v*"))
    assert choice.in_part == frozenset()


def test_null_is_no_such_rule(tmp_path: Path) -> None:
    text = "reclaim: {keep_newest: null, keep_days: null, keep: [stable]}"

    assert loaded(tmp_path, text).reclaim_choice.rules == KeepRules(
        None, None, ("stable",)
    )


def test_what_was_pulled_lately_may_be_all_that_is_kept(tmp_path: Path) -> None:
    text = (
        "reclaim: {keep_newest: null, keep_days: null, keep: [], keep_pulled_days: 7}"
    )

    assert loaded(tmp_path, text).reclaim_choice.rules == KeepRules(None, None, (), 7)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("keep_newest: 0", "must be at least 1"),
        ("keep_days: 90d", "must be a whole number"),
        ("keep_pulled_days: 0", "must be at least 1"),
        ("keep: [^v]", "is no pattern"),
        ("keep_newest: null, keep_days: null, keep: []", "keeps nothing"),
        ("keep_last: 3", "unknown key"),
    ],
)
def test_a_wrong_rule_is_told(tmp_path: Path, value: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"reclaim: {{{value}}}\n")

    assert "reclaim" in caught.value.message
    assert words in caught.value.message


def test_a_registry_of_which_tags_are_left_out_is_named(tmp_path: Path) -> None:
    text = """
registries:
  - {name: whole, url: "https://whole.example"}
  - {name: part, url: "https://part.example", tags: {exclude: ["*-dev"]}}
  - {name: few, url: "https://few.example", tags: {include: ["v*"]}}
"""

    assert loaded(tmp_path, text).reclaim_choice.in_part == {"part", "few"}


def test_an_entry_beside_one_of_which_tags_are_left_out_is_named_too(
    tmp_path: Path,
) -> None:
    text = """
registries:
  - {name: shop, url: "https://docker.io", repositories: {include: ["shop/*"]}}
  - name: team
    url: https://registry-1.docker.io
    repositories: {include: ["team/*"]}
    tags: {exclude: ["*-dev"]}
  - {name: alone, url: "https://hub.example:8443"}
"""

    assert loaded(tmp_path, text).reclaim_choice.in_part == {"shop", "team"}


def test_the_page_on_reclaiming_shows_the_rules_that_hold_without_any(
    tmp_path: Path,
) -> None:
    page = Path(__file__).parents[3] / "docs" / "reclaim.md"
    (example,) = re.findall(
        r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )

    assert loaded(tmp_path, example).reclaim == loaded(tmp_path, "{}").reclaim
