"""What holds, and where each value is from."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config.effective import ShownValue, Tree, effective_settings
from weighbridge.config.value.written_address import shown_url
from weighbridge.config.yaml.reader import Plain
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import ConfigError

FILE = """\
database_url: postgresql://ann:c4nary@db.example/weights?password=c4nary
defaults: {interval: 30m}
registries:
  - name: far
    url: https://registry.example
    auth: {username: ann, password: c4nary}
    interval: 90s
  - name: near
    url: http://127.0.0.1:5000
    limits: {concurrency: 3}
    platforms: [linux/arm64]
policies:
  - {name: all, match: {repository: "acme/*"}, max_compressed: 500MB}
web: {bind: "127.0.0.1:9000"}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("w.yaml").write_text(FILE)
    return "w.yaml"


def at(tree: Tree, path: str) -> tuple[Plain, str]:
    """The value and origin at `registries.0.name`."""
    for step in path.split("."):
        if isinstance(tree, list):
            tree = tree[int(step)]
        elif isinstance(tree, dict):
            tree = tree[step]
    assert isinstance(tree, ShownValue), path
    return tree.value, tree.origin


def leaves(tree: Tree) -> Iterator[ShownValue]:
    if isinstance(tree, ShownValue):
        yield tree
        return
    for inner in tree if isinstance(tree, list) else tree.values():
        yield from leaves(inner)


@pytest.mark.parametrize(
    ("path", "value", "origin"),
    [
        ("web.bind", "127.0.0.1:9000", "w.yaml:14"),
        ("web.anonymous_read", False, "default"),
        ("metrics.bind", None, "default"),
        ("history.crawls", "30d", "default"),
        ("registries.0.interval", "90s", "w.yaml:7"),
        ("registries.1.interval", "30m", "w.yaml:2"),
        ("registries.1.limits.concurrency", 3, "w.yaml:10"),
        ("registries.1.platforms", ["linux/arm64"], "w.yaml:11"),
        ("registries.0.platforms", ["linux/amd64"], "default"),
        ("policies.0.max_compressed", "500MB", "w.yaml:13"),
    ],
)
def test_a_value_is_told_as_it_was_written_or_as_it_would_be(
    file: str, path: str, value: Plain, origin: str
) -> None:
    assert at(effective_settings(file, {}, KINDS), path) == (value, origin)


def test_what_is_decided_by_where_a_registry_is_is_told_of_each(file: str) -> None:
    tree = effective_settings(file, {}, KINDS)

    rates = [at(tree, f"registries.{i}.limits.requests_per_second")[0] for i in (0, 1)]
    assert rates == [20.0, None]
    assert at(tree, "registries.0.limits.keep_quota")[0] == "50%"


def test_variables_and_options_are_origins_too(file: str) -> None:
    environ = {"WEIGHBRIDGE_BIND": "127.0.0.1:1", "WEIGHBRIDGE_LOG_LEVEL": "debug"}

    tree = effective_settings(file, environ, KINDS, database_url="other.db")

    assert at(tree, "web.bind") == ("127.0.0.1:1", "WEIGHBRIDGE_BIND")
    assert at(tree, "log_level") == ("debug", "WEIGHBRIDGE_LOG_LEVEL")
    assert at(tree, "database_url") == ("sqlite:///other.db", "--database")


def test_no_secret_is_told__config_file_005(file: str) -> None:
    Path("password").write_text("c4nary")
    with Path(file).open("a") as opened:
        opened.write("redis_url: redis://:c4nary@redis.example/0\n")

    tree = effective_settings(file, {}, KINDS)

    assert "c4nary" not in repr(list(leaves(tree)))
    assert at(tree, "registries.0.auth.password") == ("<redacted>", "w.yaml:6")
    assert at(tree, "redis_url")[0] == "redis://<redacted>@redis.example/0"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////data/w.db", "sqlite:////data/w.db"),
        ("postgresql://db/w", "postgresql://db/w"),
        ("postgresql://a:c4@n/a@ry@db/w", "postgresql://<redacted>@db/w"),
        ("postgresql://db/w?password=c4nary", "postgresql://db/w"),
        ("postgresql://a:c4n?a/ry@db/w?x=1", "postgresql://<redacted>@db/w"),
        ("redis://:c4n?ary@db:6379/0", "redis://<redacted>@db:6379/0"),
        ("postgresql://a:c4//nary@db/w?x=1", "postgresql://<redacted>@db/w"),
        ("postgresql:a:c4nary@db", "postgresql://<redacted>@db"),
        ("sqlite:////home/a@b/w.db", "sqlite:////home/a@b/w.db"),
    ],
)
def test_a_url_is_told_without_what_opens_it(url: str, shown: str) -> None:
    assert shown_url(Secret(url)) == shown


def test_of_an_empty_file_everything_is_a_default(file: str) -> None:
    environ: Mapping[str, str] = {"HOME": "/home/ann"}
    Path(file).write_text("")

    tree = effective_settings(file, environ, KINDS)

    assert {leaf.origin for leaf in leaves(tree)} == {"default"}


def test_a_faulty_file_is_refused(file: str) -> None:
    Path(file).write_text("web: {bin: 1}\n")

    with pytest.raises(ConfigError):
        effective_settings(file, {}, KINDS)
