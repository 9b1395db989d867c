"""The files of `tls`: what each fault of them is told as, and what clients refuse."""

import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.certificates import Authority, an_authority
from weighbridge.config.value.tls_settings import TLSSettings
from weighbridge.errors import ConfigError
from weighbridge.web.server.certificate_files import (
    Certificate,
    read_served,
    warnings_of,
)
from weighbridge.web.server.tls import server_context

NOW = datetime(2026, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return an_authority(tmp_path)


def fault_of(cert: Path, key: Path, client_ca: Path | None = None) -> ConfigError:
    tls = TLSSettings(cert_file=cert, key_file=key, client_ca_file=client_ca)
    with pytest.raises(ConfigError) as caught:
        read_served(tls, server_context())
    assert caught.value.code == "tls_files"
    assert caught.value.hint
    return caught.value


def test_a_certificate_says_how_long_it_is_valid_and_for_whom(
    authority: Authority,
) -> None:
    path = authority.server_file("weighbridge.example", "*.w.example", "10.0.0.7")
    tls = TLSSettings(cert_file=path, key_file=path)

    served = read_served(tls, server_context())

    said = served.certificate
    assert said.names == ("weighbridge.example", "*.w.example", "10.0.0.7")
    assert said.ends_at - said.begins_at == 33 * DAY
    assert said.why_not_valid(datetime.now(UTC)) is None
    assert served.context.verify_mode == ssl.CERT_NONE
    assert served.context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_with_an_authority_for_clients_each_needs_a_certificate(
    authority: Authority,
) -> None:
    path = authority.server_file("localhost")
    tls = TLSSettings(
        cert_file=path, key_file=path, client_ca_file=Path(authority.ca_file)
    )

    served = read_served(tls, server_context())

    assert served.context.verify_mode == ssl.CERT_REQUIRED


def test_a_key_of_another_certificate(authority: Authority) -> None:
    one, other = authority.server_file("localhost"), authority.server_file("localhost")

    fault = fault_of(one, other)

    assert fault.message == f"key_file {other} does not belong to cert_file {one}"


def test_a_key_of_another_kind(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.server_file("localhost"), tmp_path / "rsa.pem"
    openssl("genpkey", "-algorithm", "RSA", "-out", str(key))

    assert "does not belong to" in fault_of(cert, key).message


def test_a_key_with_a_passphrase(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.server_file("localhost"), tmp_path / "locked.pem"
    openssl("pkey", "-in", str(cert), "-aes256", "-passout", "pass:x", "-out", str(key))

    fault = fault_of(cert, key)

    assert "has a passphrase" in fault.message
    assert fault.hint.startswith("openssl pkey ")


def test_a_key_that_this_user_may_not_read(authority: Authority) -> None:
    whole = authority.server_file("localhost").read_bytes()
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        cert, key = folder / "web.pem", folder / "web.key"
        for path in (cert, key):
            path.write_bytes(whole)
        key.chmod(0)
        with as_nobody():
            fault = fault_of(cert, key)

    assert fault.message == f"key_file {key} cannot be read: Permission denied"
    assert "may read" in fault.hint


@contextmanager
def as_nobody() -> Iterator[None]:
    """What root may read is everything; any other user has no such right anyway."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def test_files_that_are_missing_or_empty(authority: Authority, tmp_path: Path) -> None:
    whole, empty = authority.server_file("localhost"), tmp_path / "empty.pem"
    empty.write_text("\n")
    missing = tmp_path / "missing.pem"

    messages = [
        fault_of(missing, whole).message,
        fault_of(whole, tmp_path).message,
        fault_of(empty, whole).message,
        fault_of(whole, empty).message,
        fault_of(whole, whole, empty).message,
    ]

    assert messages == [
        f"cert_file {missing} cannot be read: No such file or directory",
        f"key_file {tmp_path} is not a regular file",
        f"cert_file {empty} is empty",
        f"key_file {empty} is empty",
        f"client_ca_file {empty} is empty",
    ]


def test_files_that_hold_something_else(authority: Authority, tmp_path: Path) -> None:
    whole, other = authority.server_file("localhost"), tmp_path / "other.pem"
    other.write_text("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n")

    assert "begin with a whole certificate" in fault_of(other, whole).message
    assert "no certificate with its key" in fault_of(whole, other).message
    assert "holds no certificate" in fault_of(whole, whole, other).message


@pytest.mark.parametrize("part", [0.1, 0.4])
def test_a_certificate_of_which_only_a_part_is_written(
    authority: Authority, tmp_path: Path, part: float
) -> None:
    whole, half = authority.server_file("localhost"), tmp_path / "half.pem"
    content = whole.read_bytes()
    half.write_bytes(content[: int(len(content) * part)])

    assert "begin with a whole certificate" in fault_of(half, whole).message


def test_a_file_that_cannot_be_a_certificate_for_its_size(
    authority: Authority, tmp_path: Path
) -> None:
    whole, large = authority.server_file("localhost"), tmp_path / "large.pem"
    large.write_bytes(b"x" * (1024 * 1024 + 1))

    assert fault_of(large, whole).message == f"cert_file {large} is larger than 1 MiB"


@pytest.mark.parametrize(
    ("host", "is_named"),
    [
        ("weighbridge.example", True),
        ("WEIGHBRIDGE.example.", True),
        ("a.w.example", True),
        ("a.b.w.example", False),
        ("w.example", False),
        ("other.example", False),
        ("10.0.0.7", True),
        ("10.0.0.8", False),
        ("::1", True),
        ("example", False),
    ],
)
def test_hosts_that_clients_take_it_for(host: str, is_named: bool) -> None:
    names = ("weighbridge.example", "*.w.example", "10.0.0.7", "0:0:0:0:0:0:0:1")

    assert Certificate(NOW, NOW + DAY, names).names_host(host) is is_named


@pytest.mark.parametrize(
    ("days", "url", "words"),
    [
        (0.5, "https://w.example", []),
        (0.5, None, []),
        (1, None, ["has expired on 2026-07-02 00:00 UTC"]),
        (-0.5, None, ["is valid only from 2026-07-01 00:00 UTC on"]),
        (0.5, "https://other.example:8443", ["names w.example, and not other.example"]),
    ],
)
def test_what_clients_refuse_is_said(
    days: float, url: str | None, words: list[str]
) -> None:
    certificate = Certificate(NOW, NOW + DAY, ("w.example",))

    said = list(warnings_of(certificate, Path("c.pem"), url, NOW + days * DAY))

    assert len(said) == len(words)
    assert all(word in text for word, text in zip(words, said, strict=True))
