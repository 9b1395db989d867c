"""TLS contexts of clients: verified names, TLS 1.2 or later; of HTTP only HTTP/1.1."""

import ssl

from weighbridge.config.file.regular_file import open_regular
from weighbridge.errors import ConfigError


def client_tls(ca_file: str | None) -> ssl.SSLContext:
    """A context that trusts the certificates of `ca_file` alone, or the system's.

    Reading the system's certificates takes some milliseconds: make one context for
    each registry and keep it. Raises ConfigError(ca_file) if the file is unusable.
    """
    context = mail_tls(ca_file)
    # Registries choose HTTP/2 as soon as it is offered, and we do not speak it.
    context.set_alpn_protocols(["http/1.1"])
    return context


def mail_tls(ca_file: str | None) -> ssl.SSLContext:
    """The same for what does not speak HTTP. Raises ConfigError(ca_file)."""
    try:
        if ca_file is not None:
            open_regular(ca_file).close()
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as exc:
        # ssl.SSLError is an OSError.
        raise ConfigError(
            f"ca_file {ca_file}: no certificates could be read from it: {exc}",
            code="ca_file",
            hint="name a readable file of PEM certificates",
        ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
