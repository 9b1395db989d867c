"""Registries below a path of their host: docker-registry with its `http.prefix`, and
two of them on one host that never meet."""

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from support.certificates import an_authority
from support.docker_registry import DockerRegistry, docker_registry, htpasswd
from support.images_oci import Pusher, made_image, made_layer
from support.path_proxy import PathProxy, path_proxy
from weighbridge.cli.main import run

Capture = pytest.CaptureFixture[str]
PASSWORDS: Final = {"ann": "c4nary-of-ann", "ben": "c4nary-of-ben"}
PREFIX: Final = "/artifactory/api/docker/local"
IMAGE: Final = made_image(made_layer("app", b"one layer" * 50))
OTHER: Final = made_image(made_layer("other", b"another layer" * 50))


def basic(user: str) -> str:
    pair = f"{user}:{PASSWORDS[user]}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def entry(name: str, url: str, user: str | None = None, **keys: object) -> object:
    auth = user and {"auth": {"username": user, "password": PASSWORDS[user]}}
    return {"name": name, "url": url, "kind": "distribution", **(auth or {}), **keys}


def configured(*entries: object) -> None:
    text = {"database_url": "sqlite:///w.db", "registries": entries}
    Path("weighbridge.yaml").write_text(json.dumps(text))


def crawled(capsys: Capture, *targets: str, code: int = 0) -> dict[str, int]:
    """What the command reports of all registries together."""
    assert run(["crawl", *targets, "-o", "json"]) == code
    told = capsys.readouterr()
    assert not any(secret in told.out + told.err for secret in PASSWORDS.values())
    found: dict[str, int] = json.loads(told.out)
    return found


def rows(statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect("w.db")) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """On a port of its own, below a path, with a certificate of a private authority."""
    folder = tmp_path_factory.mktemp("secure")
    with docker_registry(
        folder / "registry",
        auth=htpasswd(folder, "ann", PASSWORDS["ann"]),
        authority=an_authority(folder),
        prefix=PREFIX,
    ) as registry:
        auth = ("ann", PASSWORDS["ann"])
        with Pusher(registry.url, auth=auth, verify=registry.verify) as pusher:
            for number in range(3):
                pusher.push("shop/app", IMAGE, f"1.{number}")
        yield registry


def configure_secure(secure: DockerRegistry, **keys: object) -> None:
    assert secure.authority is not None
    ca_file = {"ca_file": secure.authority.ca_file}
    configured(entry("art", secure.url, "ann", **ca_file | keys))


def test_a_registry_below_a_path_is_crawled_over_tls_of_a_private_authority(
    secure: DockerRegistry, capsys: Capture
) -> None:
    configure_secure(secure, kind="auto")

    first, again = crawled(capsys), crawled(capsys)

    # Unchanged: the challenge and the catalog, and each tag by HEAD.
    assert (first["tags"], again["images"]) == (3, 1)
    assert again["requests"] < first["requests"]
    assert rows("SELECT name, state, address FROM registries") == [
        ("art", "ok", f"https://127.0.0.1:{secure.port}{PREFIX}")
    ]
    assert rows("SELECT count(*) FROM tags WHERE deleted_at IS NULL") == [(3,)]


def test_a_registry_below_a_path_is_checked(
    secure: DockerRegistry, capsys: Capture
) -> None:
    configure_secure(secure, kind="auto")

    assert run(["registry", "check", "art", "-o", "json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert {step["result"] for step in found["steps"]} == {"fine"}
    assert (found["kind"], found["url"]) == ("distribution", secure.url)


def test_an_image_below_a_path_is_named_by_its_entry(
    secure: DockerRegistry, capsys: Capture
) -> None:
    configure_secure(secure)

    assert run(["inspect", "art/shop/app:1.1", "-o", "json"]) == 0

    assert "shop/app" in capsys.readouterr().out


@pytest.mark.parametrize("scheme", ["", "https://"])
@pytest.mark.parametrize("command", ["inspect", "crawl"])
def test_an_address_below_the_path_of_an_entry_is_refused_with_its_name(
    secure: DockerRegistry, capsys: Capture, scheme: str, command: str
) -> None:
    configure_secure(secure)

    code = run([command, f"{scheme}{secure.address}{PREFIX}/shop/app"])

    told = capsys.readouterr().err
    assert code == 2
    assert "write  art/shop/app" in told


def test_without_the_authority_nothing_is_believed(
    secure: DockerRegistry, capsys: Capture
) -> None:
    configured(entry("art", secure.url, "ann"))

    assert run(["registry", "check", "art", "-o", "json"]) == 3

    found = json.loads(capsys.readouterr().out)
    assert found["steps"][0]["code"] == "tls_error"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two registries on one host: `/a` is taken away before the registry sees it, and
    the registry of `/b` knows its prefix."""

    proxy: PathProxy

    def configure(self, **keys: object) -> None:
        configured(
            entry("a", f"{self.proxy.url}/a", "ann", **keys),
            entry("b", f"{self.proxy.url}/b", "ben"),
        )


@pytest.fixture(scope="module")
def backends(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, str]]:
    folder = tmp_path_factory.mktemp("pair")
    users = {user: htpasswd(folder / user, user, PASSWORDS[user]) for user in PASSWORDS}
    with (
        docker_registry(folder / "a", auth=users["ann"]) as a,
        docker_registry(folder / "b", auth=users["ben"], prefix="/b") as b,
    ):
        with Pusher(a.url, auth=("ann", PASSWORDS["ann"])) as pusher:
            pusher.push("shop/app", IMAGE, "1.0", "1.1", "1.2")
            pusher.push("shop/web", IMAGE, "1.0")
        with Pusher(b.url, auth=("ben", PASSWORDS["ben"])) as pusher:
            pusher.push("shop/app", OTHER, "2.0")
        yield {"/a": a.url, "/b": b.url}


@pytest.fixture
def pair(backends: Mapping[str, str]) -> Iterator[Pair]:
    with path_proxy(backends) as proxy:
        yield Pair(proxy)


def test_two_registries_of_one_host_never_mix(pair: Pair, capsys: Capture) -> None:
    pair.configure()

    crawled(capsys)

    found = rows(
        "SELECT g.name, r.name, t.name FROM tags t"
        " JOIN repositories r ON r.id = t.repository_id"
        " JOIN registries g ON g.id = r.registry_id ORDER BY 1, 2, 3"
    )
    assert found == [
        ("a", "shop/app", "1.0"),
        ("a", "shop/app", "1.1"),
        ("a", "shop/app", "1.2"),
        ("a", "shop/web", "1.0"),
        ("b", "shop/app", "2.0"),
    ]
    assert rows("SELECT count(DISTINCT id) FROM storage_scopes") == [(2,)]
    assert pair.proxy.shown_below("/a/") == {"", basic("ann")}
    assert pair.proxy.shown_below("/b/") == {"", basic("ben")}
    assert {path[:3] for path, _ in pair.proxy.seen} == {"/a/", "/b/"}


TAGS: Final = "/a/v2/shop/app/tags/list"
CATALOG: Final = "/a/v2/_catalog"
QUERY: Final = "?n=1000&last=shop/app"


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(f"/v2/_catalog{QUERY}", id="path behind the proxy"),
        pytest.param(f"URL{CATALOG}{QUERY}", id="URL"),
    ],
)
def test_a_link_to_the_same_listing_below_the_prefix_is_followed(
    pair: Pair, capsys: Capture, link: str
) -> None:
    pair.configure()
    target = link.replace("URL", pair.proxy.url)
    pair.proxy.links[CATALOG] = f'<{target}>; rel="next"'

    crawled(capsys, "a")

    assert QUERY.removeprefix("?") in pair.proxy.queries
    assert {path[:3] for path, _ in pair.proxy.seen} == {"/a/"}
    assert rows("SELECT state FROM registries") == [("ok",)]
    assert rows("SELECT state FROM repositories") == [("ok",)] * 2


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("/b/v2/shop/app/tags/list?n=1000", id="the other entry"),
        pytest.param("/a/%2e%2e/b/v2/shop/app/tags/list", id="climbs, escaped"),
    ],
)
def test_a_link_that_leaves_the_prefix_is_refused(
    pair: Pair, capsys: Capture, link: str
) -> None:
    pair.configure()
    pair.proxy.links[TAGS] = f'<{link}>; rel="next"'

    crawled(capsys, "a")

    assert pair.proxy.shown_below("/b") == set()
    assert rows(
        "SELECT state, state_reason FROM repositories WHERE name = 'shop/app'"
    ) == [("partial", "link_refused")]


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("/b/v2/shop/app/manifests/2.0", id="the other entry"),
        pytest.param("/a/%2e%2e/b/v2/shop/app/manifests/2.0", id="escaped"),
    ],
)
def test_a_redirect_that_leaves_the_prefix_gets_no_credential(
    pair: Pair, capsys: Capture, location: str
) -> None:
    pair.configure()
    for tag in ("1.0", "1.1", "1.2"):
        pair.proxy.moved[f"/a/v2/shop/app/manifests/{tag}"] = location

    crawled(capsys, "a")

    away = [
        shown
        for path, shown in pair.proxy.seen
        if not path.startswith("/a/v2/") and shown
    ]
    assert away == []
    assert any(not path.startswith("/a/v2/") for path, _ in pair.proxy.seen)
    assert PASSWORDS["ann"] not in str(rows("SELECT * FROM repositories"))


def test_a_registry_at_the_root_shows_nothing_below_the_path_of_another(
    pair: Pair, capsys: Capture, backends: Mapping[str, str]
) -> None:
    with path_proxy({"/b": backends["/b"], "": backends["/a"]}) as proxy:
        configured(entry("root", proxy.url, "ann"), entry("b", f"{proxy.url}/b", "ben"))
        for tag in ("1.0", "1.1", "1.2"):
            target = "/b/v2/shop/app/manifests/2.0"
            proxy.moved[f"/v2/shop/app/manifests/{tag}"] = target

        crawled(capsys, "root")

    assert proxy.shown_below("/b/") == {""}
    assert basic("ann") in proxy.shown_below("/v2/")
