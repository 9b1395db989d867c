"""`weighbridge registry check`, and what a crawl finds out of a kind, at servers."""

import csv
import io
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from support.certificates import an_authority
from support.docker_registry import DockerRegistry, docker_registry, htpasswd
from support.hub_replica.serving import hub_replica
from support.hub_replica.state import PASSWORD, USER, a_hub
from support.images_oci import Pusher, made_image, made_layer
from support.vendor_hosts import host_of
from weighbridge.cli.main import run
from weighbridge.demo.story import demo_content
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS

Capture = pytest.CaptureFixture[str]
OWNER: Final = "ann"
SECRET: Final = "c4nary-of-tests"
IMAGE: Final = made_image(made_layer("app", b"one layer" * 50))
PROBES: Final = [
    kind.signs.probe.path for kind in REGISTRY_KINDS.values() if kind.signs.probe
]
_REQUEST: Final = re.compile(r'"(?:GET|HEAD) (/[^ "?]*)')


@dataclass(frozen=True, slots=True)
class Guarded:
    registry: DockerRegistry
    ca_file: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority = an_authority(folder)
    with docker_registry(
        folder / "registry",
        auth=htpasswd(folder, OWNER, SECRET),
        authority=authority,
        settings={"log": {"level": "info", "accesslog": {"disabled": False}}},
    ) as registry:
        auth = (OWNER, SECRET)
        with Pusher(registry.url, auth=auth, verify=registry.verify) as pusher:
            pusher.push("shop/app", IMAGE, "1.0")
        yield Guarded(registry, str(authority.ca_file))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def configured(**keys: object) -> None:
    text = {"database_url": "sqlite:///w.db", "registries": [{"name": "hub", **keys}]}
    Path("weighbridge.yaml").write_text(json.dumps(text))


def owned(guarded: Guarded, **keys: object) -> None:
    configured(
        url=guarded.registry.url,
        ca_file=guarded.ca_file,
        **{"auth": {"username": OWNER, "password": SECRET}} | keys,
    )


def checked(capsys: Capture, *arguments: str, code: int = 0) -> tuple[str, str]:
    assert run(["registry", "check", "hub", *arguments]) == code
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    return told.out, told.err


def kept(column: str = "kind_found") -> object:
    with closing(sqlite3.connect("w.db")) as connection:
        (value,) = connection.execute(
            f"SELECT {column} FROM registries"  # noqa: S608 - a name of ours
        ).fetchone()
    return value


def steps(found: Mapping[str, object]) -> dict[str, str]:
    rows = found["steps"]
    assert isinstance(rows, list)
    return {row["step"]: row["result"] for row in rows}


def test_a_registry_that_lets_us_in_is_fine(guarded: Guarded, capsys: Capture) -> None:
    owned(guarded)

    out, err = checked(capsys, "-o", "json")

    found = json.loads(out)
    assert steps(found) == dict.fromkeys(
        ("sign in", "repositories", "tags", "image"), "fine"
    )
    assert (found["kind"], found["kind_shown"]) == ("distribution",) * 2
    assert found["kind_sign"].startswith("its answers show no other kind: /v2/")
    assert found["kind_advice"] is None
    requests = found["requests"]
    # The first of each scope meets the challenge, and goes again with the password.
    assert requests["ping"] == 1 + len(PROBES) + 2
    assert (requests["catalog"], requests["tags"]) == (2, 2)
    assert requests["manifest_get"] == 1
    assert found["certified_until"] > "2026"
    assert err == ""


def test_people_read_the_same(guarded: Guarded, capsys: Capture) -> None:
    owned(guarded)

    out, _ = checked(capsys)

    first, who, _, head, *lines = out.splitlines()
    assert first.startswith(f"hub  {guarded.registry.url}  distribution: its answers")
    assert who == f"signs in with: user {OWNER!r}, from the configuration"
    assert head.split() == ["STEP", "RESULT", "SEEN"]
    assert [line.split("  ")[0] for line in lines[:4]] == [
        "sign in",
        "repositories",
        "tags",
        "image",
    ]
    assert "1 repository to crawl among the first 1 that it lists" in out
    assert "shop/app:1.0 for linux/amd64: " in out
    assert "it names no limit on requests" in out


def test_programs_read_a_row_a_step(guarded: Guarded, capsys: Capture) -> None:
    owned(guarded)

    rows = list(csv.DictReader(io.StringIO(checked(capsys, "-o", "csv")[0])))

    assert [row["result"] for row in rows] == ["fine"] * 4


@pytest.mark.parametrize("password", ["wrong", None])
def test_who_is_not_let_in_is_told_what_to_do(
    guarded: Guarded, capsys: Capture, password: str | None
) -> None:
    auth = None if password is None else {"username": OWNER, "password": password}
    owned(guarded, auth=auth)

    out, err = checked(capsys, "-o", "json", code=3)

    assert steps(json.loads(out)) == {
        "sign in": "failed",
        "repositories": "not tried",
        "tags": "not tried",
        "image": "not tried",
    }
    assert json.loads(out)["steps"][0]["code"] == "unauthorized"
    hint = "check the user name" if password else "give `auth` for it"
    assert err.startswith(f"sign in: {hint}")


def test_a_repository_that_is_not_there_fails_its_step(
    guarded: Guarded, capsys: Capture
) -> None:
    owned(guarded, repositories={"include": ["shop/none"]})

    out, _ = checked(capsys, "-o", "json", code=3)

    found = json.loads(out)
    assert list(steps(found).values()) == ["fine", "fine", "failed", "not tried"]
    assert found["steps"][1]["seen"] == "1 name in the configuration"
    assert found["steps"][2]["code"] == "name_unknown"
    assert "catalog" not in found["requests"]


def test_nobody_is_there(capsys: Capture) -> None:
    configured(url="http://127.0.0.1:1")

    out, err = checked(capsys, "-o", "json", code=3)

    found = json.loads(out)
    assert found["steps"][0]["code"] == "connect_error"
    assert (found["kind"], found["kind_shown"]) == ("distribution", None)
    assert err == "sign in: check the address and the port\n"


def test_a_name_that_is_not_configured_is_refused(capsys: Capture) -> None:
    configured(url="http://127.0.0.1:1")

    assert run(["registry", "check", "other"]) == 2

    assert "[unknown_target]" in capsys.readouterr().err


def test_an_address_is_checked_too(guarded: Guarded, capsys: Capture) -> None:
    owned(guarded)
    address = f"https://localhost:{guarded.registry.port}"

    assert run(["registry", "check", address, "-o", "json"]) == 3

    found = json.loads(capsys.readouterr().out)
    assert (found["kind_sign"], found["steps"][0]["code"]) == (
        "it is not configured",
        "tls_error",
    )


def test_a_crawl_asks_what_it_is_once_and_keeps_that(
    guarded: Guarded, capsys: Capture
) -> None:
    owned(guarded)

    def paths_of_a_crawl() -> list[str]:
        since = len(guarded.registry.log)
        assert run(["crawl", "hub"]) == 0
        return _REQUEST.findall(guarded.registry.log[since:])

    first, second = paths_of_a_crawl(), paths_of_a_crawl()

    capsys.readouterr()
    assert first[: 1 + len(PROBES)] == ["/v2/", *PROBES]
    assert not {"/v2/", *PROBES} & set(second)
    assert kept() == "distribution"
    assert str(kept("kind_sign")).startswith("its answers show no other kind")


def test_a_check_finds_again_what_was_kept(guarded: Guarded, capsys: Capture) -> None:
    owned(guarded)
    assert run(["crawl", "hub"]) == 0
    with closing(sqlite3.connect("w.db")) as connection:
        connection.execute("UPDATE registries SET kind_found = 'dockerhub'")
        connection.commit()
    capsys.readouterr()

    checked(capsys)

    assert kept() == "distribution"


def test_docker_hub_shows_itself_and_says_what_to_write(capsys: Capture) -> None:
    """Behind another host its API is not known, so it gets no request of that kind."""
    with hub_replica(a_hub(demo_content())) as hub:
        trusted = [host_of(hub.token_url)]
        repositories = {"include": ["library/python"]}
        auth = {"username": USER, "password": PASSWORD}
        keys = {"trusted_realm_hosts": trusted, "repositories": repositories}
        configured(url=hub.registry_url, auth=auth, **keys)

        out, err = checked(capsys, "-o", "json", code=3)

        found = json.loads(out)
        assert (found["kind"], found["kind_shown"]) == ("distribution", "dockerhub")
        assert "write kind: dockerhub for it" in found["kind_advice"]
        assert "is crawled by the specification alone" in err
        assert "api" not in hub.take_counts()
        # A page of tags by /v2/ is nothing that the replica has.
        assert hub.violations == ["GET /v2/library/python/tags/list?n=1000"]
        hub.violations.clear()

        written = {"kind": "dockerhub", "api_url": hub.api_url, **keys}
        configured(url=hub.registry_url, auth=auth, **written)
        hub.limit, hub.left = 100, 100

        found = json.loads(checked(capsys, "-o", "json")[0])

        assert (found["kind"], found["kind_sign"]) == ("dockerhub", "so it is written")
        assert found["rate_limit"] == 100
        assert found["rate_limit_remaining"] < 100
        assert found["requests"]["bulk"] >= 1
        assert hub.violations == []
