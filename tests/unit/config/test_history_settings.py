"""How long history is kept: `history` of the configuration."""

from datetime import timedelta
from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.limits import Retention
from weighbridge.errors import ConfigError


def loaded(folder: Path, text: str) -> Retention:
    file = folder / "weighbridge.yaml"
    file.write_text(text)
    return load_settings(str(file), {}, KINDS).history.retention


def test_crawls_are_kept_for_a_month_and_images_for_more_than_a_year(
    tmp_path: Path,
) -> None:
    month, year = timedelta(days=30), timedelta(days=400)
    assert loaded(tmp_path, "{}") == Retention(
        month, year, pushes=month, notifications=timedelta(days=90)
    )


def test_what_is_null_is_kept_for_ever(tmp_path: Path) -> None:
    text = (
        "history: {crawls: null, untagged_images: 3660d, pushes: null,"
        " notifications: null}"
    )

    assert loaded(tmp_path, text) == Retention(None, timedelta(days=3660))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("23h", "must be from 1d to 3660d, or null to keep everything"),
        ("3661d", "must be from 1d to 3660d, or null to keep everything"),
        ("30", "needs a unit: 90s, 15m, 1h or 1d"),
        ("a month", "is no duration: write 90s, 15m, 1h or 1d"),
        ("true", "must be a text: put it in quotes"),
    ],
)
@pytest.mark.parametrize(
    "key", ["crawls", "untagged_images", "pushes", "notifications"]
)
def test_a_wrong_time_is_told_with_what_is_right(
    tmp_path: Path, key: str, value: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f"history:\n  {key}: {value}\n")

    assert f"history.{key}" in caught.value.message
    assert caught.value.message.endswith(words)
    assert ":2 " in caught.value.message


def test_a_key_that_nothing_uses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "history: {tags: 30d}")

    assert "unknown key" in caught.value.message
