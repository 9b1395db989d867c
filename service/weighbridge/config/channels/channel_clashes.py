"""Rules over several keys of channels and routes, also asked of what is written."""

from collections.abc import Iterator, Mapping, Set
from typing import Final

from weighbridge.config.value.clashes import Clash
from weighbridge.config.yaml.nodes import Path, Plain

_TRANSPORT: Final = frozenset({"allow_private", "plain_http", "ca_file", "proxy"})
_URL: Final = frozenset({"url", "url_file"})
_OF_KIND: Final[Mapping[str, frozenset[str]]] = {
    "webhook": _TRANSPORT | _URL | {"secret", "secret_file"},
    "slack": _TRANSPORT | _URL,
    "teams": _TRANSPORT | _URL,
    "email": frozenset({"smtp", "from", "to", "allow_private", "ca_file"}),
    "alertmanager": _TRANSPORT | {"urls"},
    "apprise": _URL,
}
_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("smtp", "from", "to"),
    "alertmanager": ("urls",),
}
_ALWAYS: Final = frozenset({"name", "kind"})
_KEYS: Final = _ALWAYS.union(*_OF_KIND.values())
_TWINS: Final = (("url", "url_file"), ("secret", "secret_file"))


def channel_clashes(kind: str, keys: Set[str]) -> Iterator[Clash]:
    """keys: those of a channel that have a value; False is none"""
    allowed = _OF_KIND.get(kind)
    if allowed is None:
        return  # its own check says so
    for key in sorted(keys - allowed - _ALWAYS):
        kinds = " or ".join(k for k, known in _OF_KIND.items() if key in known)
        if kinds:
            yield Clash(key, "invalid_value", f"is for kind: {kinds}")
    for key, twin in _TWINS:
        if {key, twin} <= keys:
            yield Clash(key, "twin_keys", f"excludes {twin}: keep one")
    if "url" in allowed and not keys & _URL:
        yield Clash("url_file", "missing_key", "is missing (or url)")
    for key in _REQUIRED.get(kind, ()):
        if key not in keys:
            yield Clash(key, "missing_key", "is missing")


def smtp_clash(keys: Set[str], security: str) -> Clash | None:
    """keys: those of `smtp` that have a value"""
    passwords = keys & {"password", "password_file"}
    if len(passwords) > 1:
        return Clash("password", "twin_keys", "excludes password_file: keep one")
    if passwords and "username" not in keys:
        return Clash("username", "missing_key", "is missing")
    if "username" in keys and not passwords:
        return Clash("password_file", "missing_key", "is missing (or password)")
    if passwords and security == "none":
        words = "sends the password in the clear: use starttls or tls"
        return Clash("security", "insecure_transport", words, security)
    return None


def route_clashes(tree: Mapping[str, Plain]) -> Iterator[tuple[Path, Clash]]:
    """Every clash of what is written under `channels` and `routes`, with the path of
    its mapping."""
    names: set[str] = set()
    for index, entry in _mappings(tree.get("channels")):
        path: Path = ("channels", index)
        name = entry.get("name")
        if isinstance(name, str):
            if name in names:
                words = "is the name of another channel too"
                yield path, Clash("name", "duplicate_name", words, name)
            names.add(name)
        has_slip = not entry.keys() <= _KEYS
        for clash in channel_clashes(str(entry.get("kind")), _given(entry)):
            # What is missing may be there, with a slip in its name.
            if clash.code != "missing_key" or not has_slip:
                yield path, clash
        smtp = entry.get("smtp")
        if isinstance(smtp, dict):
            security = str(smtp.get("security", ""))
            if (found := smtp_clash(_given(smtp), security)) is not None:
                yield (*path, "smtp"), found
    for index, entry in _mappings(tree.get("routes")):
        channel = entry.get("channel")
        if isinstance(channel, str) and channel not in names:
            known = ", ".join(sorted(names)) or "none"
            words = f"is no channel: there is {known}"
            yield ("routes", index), Clash("channel", "unknown_channel", words, channel)


def _mappings(entries: Plain) -> Iterator[tuple[int, Mapping[str, Plain]]]:
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield index, entry


def _given(entry: Mapping[str, Plain]) -> frozenset[str]:
    nothing: tuple[Plain, ...] = (None, False, [])
    return frozenset(key for key, value in entry.items() if value not in nothing)
