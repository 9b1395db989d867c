"""`weighbridge webhook url`: what to paste into each sender, and what stays hidden."""

import json
from pathlib import Path

import pytest
import yaml

from weighbridge.cli.main import run
from weighbridge.domain.webhook.sources.source_table import SOURCE_NAMES

CARRIES = {"dockerhub", "quay", "google"}
"""Senders whose address holds the secret."""


def secret_of(source: str) -> str:
    return f"the-secret-of-{source}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    write(tmp_path, [(source, "one") for source in SOURCE_NAMES])
    return tmp_path


def write(
    folder: Path,
    webhooks: list[tuple[str, str]],
    external_url: str | None = "https://weighbridge.example",
) -> None:
    """Each webhook of a source has a longer secret than the one before it."""
    entries = [
        {"source": source, "registry": name, "secret": secret_of(source) + "x" * number}
        for number, (source, name) in enumerate(webhooks)
    ]
    registries = [{"name": n, "url": f"https://{n}.example"} for n in ("one", "two")]
    web = {"external_url": external_url}
    settings = {"registries": registries, "webhooks": entries, "web": web}
    (folder / "weighbridge.yaml").write_text(yaml.safe_dump(settings), "utf-8")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    assert run(["webhook", "url", *arguments]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize("source", SOURCE_NAMES)
def test_the_secret_is_printed_only_where_the_address_carries_it(
    capsys: pytest.CaptureFixture[str], source: str
) -> None:
    out, err = printed(capsys, source)

    assert f"https://weighbridge.example/webhooks/{source}" in out
    assert (secret_of(source) in out) is (source in CARRIES)
    assert ("warning: this holds the secret" in err) is (source in CARRIES)
    assert secret_of(source) not in err


@pytest.mark.parametrize("source", SOURCE_NAMES)
def test_the_secret_is_printed_where_that_is_said(
    capsys: pytest.CaptureFixture[str], source: str
) -> None:
    out, err = printed(capsys, source, "--show-secret")

    assert secret_of(source) in out
    assert "warning: this holds the secret" in err


def test_the_block_of_a_distribution_is_its_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, _ = printed(capsys, "distribution", "--show-secret")

    (endpoint,) = yaml.safe_load(out)["notifications"]["endpoints"]
    assert endpoint["url"] == "https://weighbridge.example/webhooks/distribution"
    (header,) = endpoint["headers"]["Authorization"]
    assert header.startswith("Bearer the-secret-of-distribution")
    assert endpoint["ignore"]["actions"] == ["pull", "mount"]


def test_the_block_of_zot_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = printed(capsys, "zot")

    (sink,) = json.loads("{" + out + "}")["extensions"]["events"]["sinks"]
    assert sink["address"] == "https://weighbridge.example/webhooks/zot"
    assert sink["credentials"]["password"] == "SECRET"


def test_the_fields_of_harbor_are_named_as_its_form_has_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, _ = printed(capsys, "harbor")

    assert out == (
        "# Projects > the project > Webhooks > New Webhook\n"
        "Notify Type     http\n"
        "Payload Format  Default (CloudEvents works too)\n"
        "Event Type      Artifact pushed, Artifact deleted\n"
        "Endpoint URL    https://weighbridge.example/webhooks/harbor\n"
        "Auth Header     Bearer SECRET\n"
    )


def test_without_external_url_the_socket_is_named_with_what_that_means(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, [("harbor", "one")], external_url=None)

    out, err = printed(capsys, "harbor")

    assert "http://127.0.0.1:8080/webhooks/harbor" in out
    assert "127.0.0.1:8080 is reached from this machine only" in err


def test_of_several_registries_one_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, [("harbor", "one"), ("harbor", "two")])

    out, _ = printed(capsys, "harbor", "--registry", "two", "--show-secret")

    assert f"Bearer {secret_of('harbor')}x" in out
    assert run(["webhook", "url", "harbor"]) == 2
    assert "add --registry with one of  one, two" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gitea"], "'gitea' is no source of webhooks"),
        (["harbor", "--registry", "two"], "no webhook of harbor for two is configured"),
        (["zot"], "no webhook of zot is configured"),
        (["zot"], "- {source: zot, registry: NAME, secret_file: FILE}"),
    ],
)
def test_what_is_not_configured_is_told_with_what_is(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    write(folder, [("harbor", "one")])

    assert run(["webhook", "url", *arguments]) == 2

    assert words in capsys.readouterr().err
