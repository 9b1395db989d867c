"""Reads the files of `tls`: a context to serve with, and what the certificate says of
itself. Each fault is told with the file that has it and what to do."""

import ssl

# What the standard library reads a certificate with that nobody has sent yet. There is
# no public name for it (docs/decisions/0045-tls.md).
from _ssl import _test_decode_cert  # type: ignore[attr-defined]
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from weighbridge.config.file.regular_file import (
    SeenFiles,
    read_regular,
    why_unreadable,
)
from weighbridge.config.value.tls_settings import TLSSettings
from weighbridge.errors import ConfigError

_BYTES: Final = 1024 * 1024
"""Of one file: the authorities of a whole system are a quarter of that."""
CODE: Final = "tls_files"


class Certificate(Struct, frozen=True):
    """What the first certificate of a file says.

    names: DNS names, in which `*` stands for one label, and IP addresses
    """

    begins_at: datetime
    ends_at: datetime
    names: tuple[str, ...]

    def why_not_valid(self, now: datetime) -> str | None:
        """None while it is valid."""
        if now < self.begins_at:
            return f"is valid only from {_shown(self.begins_at)} on"
        if now >= self.ends_at:
            return f"has expired on {_shown(self.ends_at)}"
        return None

    def names_host(self, host: str) -> bool:
        """Whether clients take it for this host (RFC 6125 6.4.3, RFC 9110 4.3.4)."""
        try:
            address = ip_address(host)
        except ValueError:
            wanted = host.lower().rstrip(".")
            parent = wanted.partition(".")[2]
            names = {name.lower() for name in self.names}
            return wanted in names or (bool(parent) and f"*.{parent}" in names)
        return any(_is_address(name, address) for name in self.names)


def _is_address(name: str, address: object) -> bool:
    try:
        return ip_address(name) == address
    except ValueError:
        return False


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def warnings_of(
    certificate: Certificate, cert_file: Path, external_url: str | None, now: datetime
) -> Iterator[str]:
    """What clients will refuse in a certificate that can be served with.

    external_url: the address that people use, None where it is not known
    """
    if (why := certificate.why_not_valid(now)) is not None:
        yield f"cert_file {cert_file} {why}: clients refuse it, so renew it"
    host = urlsplit(external_url or "").hostname
    if host and not certificate.names_host(host):
        named = ", ".join(certificate.names) or "no host"
        yield (
            f"cert_file {cert_file} names {named}, and not {host}, the host of "
            "web.external_url: clients refuse it there"
        )


class LoadedTLS(Struct, frozen=True):
    """What one listener can be served with."""

    context: ssl.SSLContext
    certificate: Certificate


def read_served(tls: TLSSettings, context: ssl.SSLContext) -> LoadedTLS:
    """The files at one moment, loaded into a fresh context.

    Raises ConfigError(tls_files) for what cannot be served with.
    """
    before = SeenFiles.of(list(tls.files.values()))
    try:
        _check_readable(tls.files)
        certificate = _certificate_of(tls.cert_file)
        _load_pair(context, tls)
        if tls.client_ca_file is not None:
            _load_authorities(context, tls.client_ca_file)
    except ConfigError:
        if before == before.again():
            raise
        # What was read is of two moments: its fault would be of none.
    if before != before.again():
        raise _fault(
            "the files of tls changed while they were read",
            "again in a moment, and replace files by renaming new ones",
        )
    return LoadedTLS(context, certificate)


def _check_readable(files: Mapping[str, Path]) -> None:
    for key, path in files.items():
        try:
            content = read_regular(path, _BYTES)
        except (OSError, ValueError) as exc:
            raise _fault(
                f"{key} {path} {why_unreadable(exc)}",
                "name a file that the user who runs this may read",
            ) from exc
        if not content.strip():
            raise _fault(f"{key} {path} is empty", "write it again, in PEM")
        if len(content) > _BYTES:
            raise _fault(f"{key} {path} is larger than 1 MiB", "name another file")


def _certificate_of(path: Path) -> Certificate:
    try:
        said: dict[str, Any] = _test_decode_cert(str(path))
        begins, ends = (_moment(said[key]) for key in ("notBefore", "notAfter"))
    except (ssl.SSLError, ValueError, KeyError) as exc:
        raise _fault(
            f"cert_file {path} does not begin with a whole certificate in PEM",
            "write it again: -----BEGIN CERTIFICATE----- and what follows it",
        ) from exc
    alternatives = said.get("subjectAltName", ())
    names = tuple(v for kind, v in alternatives if kind in ("DNS", "IP Address"))
    return Certificate(begins, ends, names)


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


class _PassphraseAsked(Exception):
    """The key is encrypted."""


def _no_passphrase() -> str:
    raise _PassphraseAsked


def _load_pair(context: ssl.SSLContext, tls: TLSSettings) -> None:
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, _no_passphrase)
    except _PassphraseAsked:
        raise _fault(
            f"key_file {tls.key_file} has a passphrase, and a start asks for none",
            "openssl pkey -in KEY -out PLAIN_KEY, in a file for this user alone",
        ) from None
    except ssl.SSLError as exc:
        reason = str(exc.reason or "")
        # The second is what a key of another kind gets.
        if "MISMATCH" in reason or reason == "NO_CERTIFICATE_ASSIGNED":
            raise _fault(
                f"key_file {tls.key_file} does not belong to cert_file {tls.cert_file}",
                "name the key that this certificate was asked for with",
            ) from exc
        if reason.endswith(("KEY_TOO_SMALL", "MD_TOO_WEAK")):
            raise _fault(
                f"cert_file {tls.cert_file} is too weak for today's clients ({reason})",
                "one with a key of RSA 2048 or EC P-256 at least, signed with SHA-256",
            ) from exc
        raise _fault(
            f"no certificate with its key can be read from cert_file {tls.cert_file} "
            f"and key_file {tls.key_file} ({reason or 'no PEM'})",
            "write both again, in PEM: the first certificate is the server's own",
        ) from exc


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as exc:
        raise _fault(
            f"client_ca_file {path} holds no certificate in PEM",
            "name the certificate of the authority that signs clients' certificates",
        ) from exc
    context.verify_mode = ssl.CERT_REQUIRED


def _fault(message: str, hint: str) -> ConfigError:
    return ConfigError(message, code=CODE, hint=hint)
