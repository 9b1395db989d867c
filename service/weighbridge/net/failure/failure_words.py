"""Why there is no connection, as a person says it, and what may help."""

import errno
import ssl
from typing import Final

import httpx

from weighbridge.net.failure.request_failures import HandshakeFailed

_OS: Final = {
    errno.ECONNREFUSED: "nothing listens there",
    errno.ECONNRESET: "it ended the connection at once",
    errno.EHOSTUNREACH: "that host cannot be reached from here",
    errno.ENETUNREACH: "that network cannot be reached from here",
    errno.ETIMEDOUT: "there was no answer",
}
_PLAIN_HTTP: Final = "it uses plain HTTP, not HTTPS"
_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH"})
"""What OpenSSL makes of the first bytes of an answer that is no TLS."""

# OpenSSL, x509_vfy.h: X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and, where an
# address was asked for, _IP_ADDRESS_MISMATCH.
_EXPIRED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})


def unconnected(exc: httpx.ConnectError) -> tuple[str, str]:
    """The cause and a hint, "" where nothing is known to help.

    The system's own words name functions and files of Python; they are kept for
    `--debug`, as the cause.
    """
    cause = exc.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _untrusted(cause)
    if isinstance(cause, ssl.SSLError):
        reason = cause.reason or ""
        if reason in _NOT_TLS or "PACKET_LENGTH" in reason:
            return (
                _PLAIN_HTTP,
                "write http:// in place of https://, or add --plain-http",
            )
        said = reason.replace("_", " ").lower() or "no reason was given"
        return (
            f"no TLS connection ({said})",
            "ask its operator which TLS versions it accepts",
        )
    if isinstance(exc, HandshakeFailed):
        return (
            "it ended the connection while TLS was begun",
            "check that it uses HTTPS",
        )
    if isinstance(cause, OSError) and cause.errno in _OS:
        return _OS[cause.errno], "check the address and the port"
    return str(exc), ""


def unreached(exc: OSError) -> str:
    """The cause of a connection that was never made."""
    return _OS.get(exc.errno or 0) or exc.strerror or str(exc)


def _untrusted(cause: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """The words after the colon are OpenSSL's: `self-signed certificate`."""
    said = cause.verify_message.rstrip(".")
    if cause.verify_code == _EXPIRED:
        return "its certificate has expired", "ask its operator to renew it"
    if cause.verify_code in _OTHER_NAME:
        return f"its certificate is for another name: {said}", "check the address"
    return (
        f"its certificate is not trusted: {said}",
        "name its authority with ca_file, or --ca-file",
    )
