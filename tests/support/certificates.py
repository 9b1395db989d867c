"""Certificates for one test run: an authority, and servers that it vouches for."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates; `ca_file` is what a client has to trust."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def ca_file(self) -> str:
        """PEM of the authority's own certificate."""
        return str(self.folder / "authority.pem")

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """A server's context for DNS names and IP addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_file(*names, expired=expired))
        return context

    def server_file(
        self, *names: str, expired: bool = False, later: bool = False
    ) -> Path:
        """PEM of a server's certificate and its key.

        later: it is valid from tomorrow on
        """
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _builder(
            names[0], key, self.certificate.subject, expired=expired, later=later
        )
        alternatives = x509.SubjectAlternativeName([_general(n) for n in names])
        # Python 3.13 verifies strictly (RFC 5280 4.2.1.1): the issuer's key is named.
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self.key.public_key()
        )
        certificate = (
            signed.add_extension(alternatives, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"server-{certificate.serial_number}.pem"
        _write(path, certificate, key)
        return path


def an_authority(folder: Path) -> Authority:
    """A fresh authority that keeps its files in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder("test authority", key, None)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    authority = Authority(folder, key, certificate)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    Path(authority.ca_file).write_bytes(pem)
    return authority


def _builder(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name | None,
    *,
    expired: bool = False,
    later: bool = False,
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + _DAY if later else now - 30 * _DAY)
        .not_valid_after(now - 10 * _DAY if expired else now + 3 * _DAY)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(
    path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
