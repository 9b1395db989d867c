"""`auth: ambient` at Google: the metadata server, and files that
GOOGLE_APPLICATION_CREDENTIALS names."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.google_replica.identity import (
    EMAIL,
    FEDERATED_TOKEN,
    SUBJECT_TOKEN,
    GoogleIdentity,
    federation_file,
    google_identity,
)
from support.google_replica.serving import (
    crawl_google,
    google_replica,
    google_settings,
)
from support.google_replica.state import ACCESS_TOKEN, Google
from support.vendor_hosts import host_of
from weighbridge.demo.content.stored_documents import (
    ImageRecipe,
    Push,
    RecipeStep,
    Shelf,
)
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl

NAMES = ("acme/images/cart", "acme/images/web")
SECRETS = (ACCESS_TOKEN, FEDERATED_TOKEN, SUBJECT_TOKEN)


@pytest.fixture
def google() -> Iterator[Google]:
    """An image each; nothing that the real one forbids may have been asked."""
    image = ImageRecipe((RecipeStep("2026-01-05T08:00:00Z", "ADD . /", 80_000, 1_024),))
    content = Shelf(Push(name, ("1",), image) for name in NAMES)
    with google_replica(Google(content)) as served:
        yield served
    assert served.violations == []


@pytest.fixture
def identity() -> Iterator[GoogleIdentity]:
    with google_identity(GoogleIdentity()) as served:
        yield served


def crawled(folder: Path, google: Google) -> RegistryCrawl:
    """One crawl as what this machine is, by the API and `/v2`."""
    database_url = f"sqlite:///{folder / 'weighbridge.db'}"
    settings = google_settings(
        folder, google, database_url, auth="ambient", has_api=True
    )
    return crawl_google(settings)


def checked(
    folder: Path, google: Google, identity: GoogleIdentity
) -> subprocess.CompletedProcess[str]:
    """`registry check`, in a process of its own: google-auth reads where the metadata
    server is once."""
    google_settings(
        folder,
        google,
        f"sqlite:///{folder / 'weighbridge.db'}",
        auth="ambient",
        has_api=True,
    )
    host = host_of(identity.metadata_url)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GCE_METADATA_HOST": host,
        "GCE_METADATA_IP": host,
        "GCE_METADATA_DETECT_RETRIES": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "weighbridge", "registry", "check", "google"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_a_workload_of_google_is_let_in_by_the_metadata_server(
    tmp_path: Path, google: Google, identity: GoogleIdentity
) -> None:
    done = checked(tmp_path, google, identity)

    assert done.returncode == 0, done.stderr
    assert f"as {EMAIL} (the metadata server)" in done.stdout
    assert identity.asked == ["metadata token"]
    assert google.counts["api"]
    assert google.counts["token"]
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)


@pytest.mark.long
def test_a_token_without_the_role_is_an_error_that_names_the_role(
    tmp_path: Path, google: Google, identity: GoogleIdentity
) -> None:
    identity.token = "ya29.of-somebody-else"

    done = checked(tmp_path, google, identity)

    assert done.returncode != 0
    assert "roles/artifactregistry.reader" in done.stdout + done.stderr
    # Asked for once: nobody shows the same account's next token.
    assert identity.asked == ["metadata token"]
    assert identity.token not in done.stdout + done.stderr


@pytest.mark.long
def test_a_machine_without_an_account_says_what_to_do(
    tmp_path: Path, google: Google, identity: GoogleIdentity
) -> None:
    identity.has_account = False

    done = checked(tmp_path, google, identity)

    assert done.returncode != 0
    assert "no Google token could be had" in done.stdout + done.stderr
    assert not google.counts["token"]


@pytest.mark.parametrize("as_account", [True, False])
def test_a_federated_identity_is_exchanged_for_a_token(
    tmp_path: Path,
    google: Google,
    identity: GoogleIdentity,
    monkeypatch: pytest.MonkeyPatch,
    *,
    as_account: bool,
) -> None:
    path = federation_file(tmp_path, identity, as_account=as_account)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))

    done = crawled(tmp_path, google)

    assert (done.state, done.tags, done.faults) == ("ok", 2, ())
    assert identity.asked == ["sts", *(["generateAccessToken"] * as_account)]
    stored = (tmp_path / "weighbridge.db").read_bytes()
    assert not any(secret.encode() in stored for secret in SECRETS)


def test_a_subject_that_is_refused_is_an_error_without_the_subject(
    tmp_path: Path,
    google: Google,
    identity: GoogleIdentity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = federation_file(tmp_path, identity, as_account=True)
    Path(json.loads(path.read_text())["credential_source"]["file"]).write_text("c4nary")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))

    done = crawled(tmp_path, google)

    (fault, *_) = done.faults
    assert done.state == "unauthorized"
    assert "not valid" in fault.message
    assert "GOOGLE_APPLICATION_CREDENTIALS" in (fault.hint or "")
    assert "c4nary" not in str(done)
    assert not google.counts["token"]


def test_a_file_that_is_missing_is_no_reason_to_ask_somebody_else(
    tmp_path: Path,
    google: Google,
    identity: GoogleIdentity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))

    done = crawled(tmp_path, google)

    (fault, *_) = done.faults
    assert "no Google credentials were found" in fault.message
    assert identity.asked == []
