"""What a process says of its Redis before it begins to rely on it."""

from collections.abc import Iterator

import pytest

from support.redis_server import RedisServer, a_redis
from weighbridge.bootstrap.distributed.joining import (
    redis_warnings,
    warnings_of_service,
)
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.errors import UsageError


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with a_redis() as running:
        yield running


def settings_of(url: str) -> Settings:
    return load_settings(None, {"WEIGHBRIDGE_REDIS_URL": url}, KINDS)


def test_one_that_keeps_everything_is_nothing_to_be_warned_of(
    server: RedisServer,
) -> None:
    assert redis_warnings(settings_of(server.url.reveal())) == []


def test_f23_one_that_drops_keys_is_warned_of(server: RedisServer) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        (warning,) = redis_warnings(settings_of(server.url.reveal()))
        client.config_set("maxmemory-policy", "noeviction")

    assert "(allkeys-lru)" in warning
    assert "maxmemory-policy noeviction" in warning


@pytest.mark.parametrize("user", ["", ":wrong-password@", "who:wrong-password@"])
def test_one_that_refuses_us_is_not_waited_for(server: RedisServer, user: str) -> None:
    settings = settings_of(f"redis://{user}127.0.0.1:{server.port}/0")
    with server.client() as client:
        client.config_set("requirepass", "right")
        try:
            with pytest.raises(UsageError) as refused:
                redis_warnings(settings)
            (warning,) = warnings_of_service(settings)
        finally:
            client.config_set("requirepass", "")

    assert refused.value.code == "redis_auth"
    assert "wrong-password" not in f"{refused.value.message}{refused.value.hint}"
    assert refused.value.message in warning


def test_f19_one_that_is_down_is_waited_for() -> None:
    assert redis_warnings(settings_of("redis://127.0.0.1:1/0")) == []


@pytest.mark.parametrize("parameter", ["db=hunter2", "hunter2=1"])
def test_a_parameter_that_means_nothing_is_told_without_its_words(
    parameter: str,
) -> None:
    with pytest.raises(UsageError) as refused:
        redis_warnings(settings_of(f"redis://127.0.0.1:1/0?{parameter}"))

    assert refused.value.code == "invalid_redis_url"
    assert "hunter2" not in f"{refused.value.message}{refused.value.hint}"
