"""What a configuration means: defaults, precedence, secrets, paces."""

from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import (
    Pace,
    RegistrySettings,
    Settings,
    find_config_file,
    load_settings,
    split_bind,
)
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.text.globs import Patterns
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError

REGISTRY = """
registries:
  - name: hub
    kind: distribution
    url: https://Registry.Example:443/
    auth: {username: acme, password_file: secrets/hub}
    repositories: {include: ["acme/*", "library/python"], exclude: ["acme/tmp-*"]}
    tags: {exclude: ["*-dev"]}
    platforms: ["linux/amd64", "linux/arm64/v8"]
    interval: 15m
    limits: {concurrency: 4}
    trusted_realm_hosts: ["Auth.Example"]
    trusted_storage_hosts: ["blobs.example:9000"]
    address_class: private
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "weighbridge.yaml").write_text(text)
    return load_settings(None, environ, KINDS)


def test_nothing_has_to_be_configured(folder: Path) -> None:
    settings = load_settings(None, {"HOME": "/home/ada"}, KINDS)

    assert settings.database_url.reveal() == (
        "sqlite:////home/ada/.local/share/weighbridge/weighbridge.db"
    )
    assert settings.web.bind == "127.0.0.1:8080"
    assert settings.web.anonymous_read is False
    assert settings.defaults.interval == 3600
    assert settings.registries == ()


def test_an_empty_file_is_no_fault(folder: Path) -> None:
    assert loaded(folder, "# nothing yet\n").registries == ()


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        (
            {"XDG_DATA_HOME": "/data", "HOME": "/home/ada"},
            "sqlite:////data/weighbridge/weighbridge.db",
        ),
        (
            {"XDG_DATA_HOME": "relative", "HOME": "/home/ada"},
            "sqlite:////home/ada/.local/share/weighbridge/weighbridge.db",
        ),
        (
            {"STATE_DIRECTORY": "/data", "XDG_DATA_HOME": "/x", "HOME": "/home/ada"},
            "sqlite:////data/weighbridge.db",
        ),
        (
            {"STATE_DIRECTORY": "/var/lib/w:/var/lib/x", "HOME": "/"},
            "sqlite:////var/lib/w/weighbridge.db",
        ),
        ({}, "sqlite:///weighbridge.db"),
    ],
)
def test_results_are_kept_in_the_users_data_folder(
    folder: Path, environ: dict[str, str], url: str
) -> None:
    assert load_settings(None, environ, KINDS).database_url.reveal() == url


def test_every_key_of_a_registry_is_read(folder: Path) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets" / "hub").write_text("s3cret\n")

    settings = loaded(folder, REGISTRY)

    (hub,) = settings.registries
    assert (hub.name, hub.url) == ("hub", "https://registry.example:443")
    assert hub.repositories.patterns == Patterns(
        ("acme/*", "library/python"), ("acme/tmp-*",)
    )
    assert hub.tags.patterns == Patterns(("*",), ("*-dev",))
    assert hub.platforms == (Platform("linux", "amd64"), Platform("linux", "arm64"))
    assert settings.interval_of(hub) == 900
    assert hub.trusted_realm_hosts == ("auth.example",)
    assert hub.trusted_storage_hosts == ("blobs.example:9000",)
    assert settings.find_registry("hub") is hub
    assert settings.names == {"hub"}


def test_a_password_file_is_read_again_after_a_rotation(folder: Path) -> None:
    (folder / "secrets").mkdir()
    file = folder / "secrets" / "hub"
    file.write_text("old\r\n")
    auth = loaded(folder, REGISTRY).registries[0].auth
    assert auth is not None
    assert auth.current_password() == Secret("old")

    file.write_text(" new with space \n")

    assert auth.current_password() == Secret(" new with space ")


def test_no_secret_is_in_what_settings_print(folder: Path) -> None:
    settings = loaded(
        folder,
        "database_url: postgresql+psycopg://w:c4nary@db.example/w\n"
        "registries:\n  - name: hub\n    url: https://registry.example\n"
        "    auth: {username: acme, password: c4nary}\n",
    )

    assert "c4nary" not in f"{settings!r} {settings!s}"


def test_settings_cannot_be_changed(folder: Path) -> None:
    settings = loaded(folder, "")

    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "debug"


def test_the_environment_is_over_the_file_and_options_are_over_both(
    folder: Path,
) -> None:
    text = "database_url: sqlite:///file.db\nlog_level: error\nweb: {bind: '[::1]:1'}\n"
    environ = {
        "WEIGHBRIDGE_DATABASE_URL": "sqlite:///environment.db",
        "WEIGHBRIDGE_BIND": "127.0.0.1:2",
        "WEIGHBRIDGE_LOG_LEVEL": "",
    }
    from_both = loaded(folder, text, **environ)

    from_options = load_settings(
        None, environ, KINDS, database_url="sqlite:///option.db", bind="localhost:3"
    )

    assert from_both.database_url == Secret("sqlite:///environment.db")
    assert from_both.web.bind == "127.0.0.1:2"
    assert from_both.log_level == "error"
    assert from_options.database_url == Secret("sqlite:///option.db")
    assert from_options.web.bind == "localhost:3"


def test_an_option_is_named_where_it_is_wrong(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--bind  web\.bind = 0\.0\.0\.0  must be"):
        load_settings(None, {}, KINDS, bind="0.0.0.0")


@pytest.mark.parametrize("place", ["file", "environment"])
def test_the_databases_url_may_come_from_a_secret_file(
    folder: Path, place: str
) -> None:
    (folder / "url").write_text("sqlite:///secret.db\n")
    is_file = place == "file"

    settings = loaded(
        folder,
        "database_url_file: url\n" if is_file else "database_url: sqlite:///x.db\n",
        **({} if is_file else {"WEIGHBRIDGE_DATABASE_URL_FILE": str(folder / "url")}),
    )

    assert settings.database_url == Secret("sqlite:///secret.db")


def test_the_file_that_was_asked_for_wins(folder: Path) -> None:
    (folder / "weighbridge.yaml").write_text("")

    assert find_config_file(None, {}) == "weighbridge.yaml"
    assert find_config_file(None, {"WEIGHBRIDGE_CONFIG": "b.yaml"}) == "b.yaml"
    assert find_config_file("a.yaml", {"WEIGHBRIDGE_CONFIG": "b.yaml"}) == "a.yaml"


def test_a_file_that_a_link_in_the_working_folder_hides_is_not_skipped(
    folder: Path,
) -> None:
    (folder / "weighbridge.yaml").mkdir()

    with pytest.raises(ConfigError, match="is not a regular file"):
        load_settings(None, {}, KINDS)


def test_anchors_spare_repetition(folder: Path) -> None:
    settings = loaded(
        folder,
        "defaults: {limits: &slow {requests_per_second: 2}}\n"
        "registries: [{name: r, url: 'https://r.example', limits: *slow}]\n",
    )

    assert settings.registries[0].limits.requests_per_second == 2.0


def test_http_is_no_fault_on_loopback(folder: Path) -> None:
    settings = loaded(folder, "registries: [{name: r, url: 'http://127.0.0.1:5000'}]\n")

    assert settings.registries[0].is_loopback


def test_reading_may_be_opened_to_everybody(folder: Path) -> None:
    settings = loaded(folder, "web: {bind: '0.0.0.0:80', anonymous_read: true}\n")

    assert split_bind(settings.web.bind) == ("0.0.0.0", 80)


@pytest.mark.parametrize(
    "text",
    [
        "web: {bind: '0.0.0.0:80'}\n",  # the database may know a token
        "metrics: {bind: '0.0.0.0:9090'}\n",
        "web: {bind: '127.0.0.1:0'}\nmetrics: {bind: '127.0.0.1:0'}\n",
        "metrics: {bind: null}\n",
    ],
)
def test_a_listener_may_be_anywhere(folder: Path, text: str) -> None:
    loaded(folder, text)


def test_brackets_are_not_part_of_an_address() -> None:
    assert split_bind("[::1]:8080") == ("::1", 8080)


NEAR = "http://localhost:5000"
FAR = "https://registry.example"


@pytest.mark.parametrize(
    ("url", "defaults", "limits", "pace"),
    [
        (FAR, "{}", "{}", Pace(20.0, 8)),
        (NEAR, "{}", "{}", Pace(None, 32)),
        (NEAR, "{requests_per_second: 5}", "{}", Pace(5.0, 32)),
        (NEAR, "{requests_per_second: 20}", "{}", Pace(20.0, 32)),
        (NEAR, "{concurrency: 2}", "{concurrency: 3}", Pace(None, 3)),
        (FAR, "{concurrency: 2}", "{requests_per_second: 1}", Pace(1.0, 2)),
        (FAR, "{}", "{requests_per_second: null}", Pace(None, 8)),
    ],
)
def test_a_limit_that_was_written_wins_over_what_is_polite(
    folder: Path, url: str, defaults: str, limits: str, pace: Pace
) -> None:
    settings = loaded(
        folder,
        f"defaults: {{limits: {defaults}}}\n"
        f"registries: [{{name: r, url: '{url}', limits: {limits}}}]\n",
    )

    assert settings.pace_of(settings.registries[0]) == pace


def test_an_address_given_ad_hoc_has_the_default_pace(folder: Path) -> None:
    settings = loaded(folder, "")

    assert settings.pace_of(None) == Pace(20.0, 8)
    assert settings.pace_of(None, loopback=True) == Pace(None, 32)


def test_settings_can_be_made_in_code() -> None:
    registry = RegistrySettings(name="r", url="https://r.example", interval=60)

    settings = Settings(database_url=Secret("sqlite://"), registries=(registry,))

    assert settings.interval_of(registry) == 60


@pytest.mark.parametrize(
    ("database", "url"),
    [
        ("weights.db", "sqlite:///weights.db"),
        ("/var/lib/weights.db", "sqlite:////var/lib/weights.db"),
        ("sqlite:///weights.db", "sqlite:///weights.db"),
        ("postgresql+psycopg://db.example/w", "postgresql+psycopg://db.example/w"),
    ],
)
def test_the_option_takes_a_path_for_a_url(
    folder: Path, database: str, url: str
) -> None:
    settings = load_settings(None, {}, KINDS, database_url=database)

    assert settings.database_url.reveal() == url


def test_a_path_that_a_url_would_cut_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(None, {}, KINDS, database_url="what?/weights.db")

    assert refused.value.code == "invalid_database_url"
