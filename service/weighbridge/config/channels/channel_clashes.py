"""Rules over several keys of channels and routes, also asked of what is written."""

from collections.abc import Iterator, Mapping, Set
from typing import Final, TypeAlias

from weighbridge.config.channels.channel_settings import ChannelSettings
from weighbridge.config.value.clashes import Clash
from weighbridge.config.value.merged_keys import keys_of, required_keys
from weighbridge.config.yaml.nodes import Path, Plain

ChannelModels: TypeAlias = Mapping[str, type[ChannelSettings]]
_ALWAYS: Final = frozenset({"name", "kind"})
_TWINS: Final = (("url", "url_file"), ("secret", "secret_file"))


def channel_clashes(
    models: ChannelModels, kind: str, keys: Set[str]
) -> Iterator[Clash]:
    """keys: those of a channel that have a value; False is none"""
    model = models.get(kind)
    if model is None:
        return  # its own check says so
    allowed = keys_of(model)
    for key in sorted(keys - {*allowed, *_ALWAYS}):
        kinds = " or ".join(k for k, other in models.items() if key in keys_of(other))
        if kinds:
            yield Clash(key, "invalid_value", f"is for kind: {kinds}")
    for key, twin in _TWINS:
        if {key, twin} <= keys:
            yield Clash(key, "twin_keys", f"excludes {twin}: keep one")
    if "url" in allowed and not keys & {"url", "url_file"}:
        yield Clash("url_file", "missing_key", "is missing (or url)")
    for key in required_keys(model):
        if key not in keys and key not in _ALWAYS:
            yield Clash(key, "missing_key", "is missing")


def route_clashes(
    models: ChannelModels, tree: Mapping[str, Plain]
) -> Iterator[tuple[Path, Clash]]:
    """Every clash of what is written under `channels` and `routes`, with the path of
    its mapping."""
    known = _ALWAYS.union(*map(keys_of, models.values()))
    names: set[str] = set()
    for index, entry in _mappings(tree.get("channels")):
        path: Path = ("channels", index)
        name = entry.get("name")
        if isinstance(name, str):
            if name in names:
                words = "is the name of another channel too"
                yield path, Clash("name", "duplicate_name", words, name)
            names.add(name)
        has_slip = not entry.keys() <= known
        for clash in channel_clashes(models, str(entry.get("kind")), given_keys(entry)):
            # What is missing may be there, with a slip in its name.
            if clash.code != "missing_key" or not has_slip:
                yield path, clash
        for model in models.values():
            for inner, clash in model.clashes_within(entry):
                yield (*path, *inner), clash
    for index, entry in _mappings(tree.get("routes")):
        channel = entry.get("channel")
        if isinstance(channel, str) and channel not in names:
            there = ", ".join(sorted(names)) or "none"
            words = f"is no channel: there is {there}"
            yield ("routes", index), Clash("channel", "unknown_channel", words, channel)


def given_keys(entry: Mapping[str, Plain]) -> frozenset[str]:
    """The keys of a written mapping that have a value."""
    nothing: tuple[Plain, ...] = (None, False, [])
    return frozenset(key for key, value in entry.items() if value not in nothing)


def _mappings(entries: Plain) -> Iterator[tuple[int, Mapping[str, Plain]]]:
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield index, entry
