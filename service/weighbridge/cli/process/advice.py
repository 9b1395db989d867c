"""What may help against one kind of failure, where no error of its own says it."""

from typing import Final

_ADVICE: Final = {
    "address_refused": "name another address; for a private one, set address_class",
    "auth_error": "give `auth` for this registry in weighbridge.yaml",
    "connect_error": "check its address and port, and that it runs",
    "connection_reset": "again later",
    "deadline": "again later, or set `limits` for it lower",
    "denied": "check what this user may read",
    "dns_error": "check the name of the registry",
    "name_unknown": "check the spelling of the repository",
    "no_password": "--password-stdin, --password-file FILE, or `docker login`",
    "not_a_registry": "check its address; a proxy or a sign-in page may be before it",
    "not_found": "check that this is the address of a registry",
    "rate_limited": "again later, or set `limits` for it lower",
    "realm_refused": "name the token server in trusted_realm_hosts if it is right",
    "tls_error": "ca_file for an authority of your own; http:// if it has no TLS",
    "unauthorized": "give `auth` for it, run `docker login`, or --user NAME",
}


def advice(code: str) -> str:
    """What to try, "" where nothing is known to help."""
    return _ADVICE.get(code, "")
