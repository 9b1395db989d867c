"""A real registry with TLS and a password, asked by its address alone."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from support.certificates import an_authority
from support.docker_registry import docker_registry, htpasswd
from support.images_oci import Pusher, made_image, made_layer
from weighbridge.cli.main import run

USER: Final = "ann"
PASSWORD: Final = "c4nary-of-tests"
IMAGE: Final = made_image(made_layer("app", b"one layer" * 50))


@dataclass(frozen=True, slots=True)
class Guarded:
    """Its address, the files of its authority and password, and a configuration."""

    address: str
    ca_file: str
    password_file: str
    config: str

    @property
    def by_hand(self) -> list[str]:
        """What an address needs where nothing is configured."""
        return ["--https", "--ca-file", self.ca_file, "--user", USER]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority = an_authority(folder)
    auth = htpasswd(folder, USER, PASSWORD)
    password = folder / "password"
    password.write_text(f"{PASSWORD}\n")
    with docker_registry(
        folder / "registry", auth=auth, authority=authority
    ) as registry:
        with Pusher(
            registry.url, auth=(USER, PASSWORD), verify=registry.verify
        ) as pusher:
            pusher.push("shop/app", IMAGE, "1.0")
        address = f"localhost:{registry.port}"
        config = folder / "weighbridge.yaml"
        config.write_text(
            "registries:\n"
            f"  - name: secure\n    url: https://{address}\n"
            f"    ca_file: {authority.ca_file}\n"
            f"    auth: {{username: {USER}, password_file: {password}}}\n"
        )
        yield Guarded(address, authority.ca_file, str(password), str(config))


@pytest.fixture(autouse=True)
def _nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)


COMMANDS: Final = {
    "inspect": ["inspect", "{}/shop/app:1.0"],
    "check": ["check", "{}/shop/app:1.0", "--max-layers", "9"],
    "crawl": ["crawl", "{}", "--database", "w.db"],
    "crawl of one": ["crawl", "{}/shop/app", "--database", "w.db"],
}


def command(name: str, address: str) -> list[str]:
    return [word.format(address) for word in COMMANDS[name]]


@pytest.mark.parametrize("scheme", ["", "https://"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_configured_https_registry_is_found_by_its_address(
    guarded: Guarded, name: str, scheme: str
) -> None:
    asked = command(name, scheme + guarded.address)

    assert run([*asked, "--config", guarded.config]) == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_an_address_takes_scheme_authority_user_and_password(
    guarded: Guarded, name: str
) -> None:
    asked = command(name, guarded.address)

    told = [*guarded.by_hand, "--password-file", guarded.password_file]

    assert run([*asked, *told]) == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_the_password_may_come_from_stdin(
    guarded: Guarded, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))

    asked = command(name, guarded.address)

    assert run([*asked, *guarded.by_hand, "--password-stdin"]) == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_who_gives_no_password_is_told_how(
    guarded: Guarded, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([*command(name, guarded.address), *guarded.by_hand])

    printed = capsys.readouterr()
    assert code in (2, 3)
    assert "no_password" in printed.out + printed.err
    assert "--password-stdin" in printed.out + printed.err


def test_a_wrong_password_is_a_refusal_that_does_not_show_it(
    guarded: Guarded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wr0ng-one")

    asked = command("inspect", guarded.address)
    code = run([*asked, *guarded.by_hand, "--password-file", str(wrong), "--debug"])

    said = capsys.readouterr().err
    assert code == 3
    assert f"user '{USER}'" in said
    assert "wr0ng" not in said
