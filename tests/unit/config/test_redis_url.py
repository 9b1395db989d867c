"""`redis_url`: where several processes meet."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import load_settings
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError
from weighbridge.jobs.redis.broker import is_exposed

SECRET = "rediss://:hunter2@redis.example:6380/1"


def test_without_it_there_is_one_process() -> None:
    assert load_settings(None, {}, KINDS).redis_url is None
    assert load_settings(None, {"WEIGHBRIDGE_REDIS_URL": ""}, KINDS).redis_url is None


@pytest.mark.parametrize("place", ["file", "environment"])
def test_it_may_come_from_a_secret_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "url").write_text(f"{SECRET}\n")
    config = tmp_path / "w.yaml"
    config.write_text("redis_url_file: url\n" if place == "file" else "{}\n")
    environ = {"WEIGHBRIDGE_REDIS_URL_FILE": str(tmp_path / "url")}

    settings = load_settings(
        str(config), environ if place == "environment" else {}, KINDS
    )

    assert settings.redis_url == Secret(SECRET)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "w.yaml"
    config.write_text("redis_url_file: nowhere\n")

    settings = load_settings(str(config), {"WEIGHBRIDGE_REDIS_URL": SECRET}, KINDS)

    assert settings.redis_url == Secret(SECRET)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("redis_url: http://:hunter2@redis.example", "is no URL"),
        ("redis_url: redis.example:6379", "is no URL"),
        ("redis_url: 'redis://:hunter2 redis.example'", "is no URL"),
        ("redis_url: redis://", "is no URL"),
        ("redis_url: redis://:hunter2;x@a", "is no URL"),
        ("redis_url: redis://a/b/c", "is no URL"),
        ("redis_url: redis://:hunter2@a:63x", "is no URL"),
        ("redis_url: redis://:hunter2@a:99999", "is no URL"),
        ("redis_url: 'redis://:hunter2[@a'", "is no URL"),
        ("redis_url: redis://:hunter2@", "is no URL"),
        ("redis_url: ''", "must not be empty"),
        ("redis_url: redis://a\nredis_url_file: url", "excludes redis_url_file"),
    ],
)
def test_a_wrong_one_is_told_without_its_password(
    tmp_path: Path, text: str, words: str
) -> None:
    config = tmp_path / "w.yaml"
    config.write_text(text)
    (tmp_path / "url").write_text("redis://:hunter2@b")

    with pytest.raises(ConfigError) as wrong:
        load_settings(str(config), {}, KINDS)

    assert "hunter2" not in wrong.value.message
    assert words in wrong.value.message
    assert len(wrong.value.message.splitlines()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://:hunter2@one:26379/0",
        "redis+sentinel://:hunter2@one:26379/0",
        "sentinel://one:26379;sentinel://two:26379",
        "redis://:hunter2@one:6379/0;redis://two:6379/0",
    ],
)
def test_f22_sentinels_are_refused_by_a_code_of_their_own(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(None, {"WEIGHBRIDGE_REDIS_URL": url}, KINDS)

    assert refused.value.code == "sentinel_url"
    assert "Sentinels, which are not supported" in refused.value.message
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("redis://127.0.0.1:6379/0", False),
        ("redis://localhost", False),
        ("redis://[::1]:6379", False),
        ("redis://redis.example", True),
        ("redis://:secret@redis.example", True),
        ("rediss://redis.example", True),
        ("rediss://:secret@redis.example", False),
        ("redis://10.0.0.7", True),
    ],
)
def test_t12_a_redis_that_others_reach_is_told(url: str, exposed: bool) -> None:
    assert is_exposed(Secret(url)) is exposed
