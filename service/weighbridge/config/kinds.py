"""What a configuration may name that stands elsewhere: kinds of registries, kinds of
channels. Whoever loads a configuration says which there are."""

from collections.abc import Mapping
from functools import cached_property, partial
from types import GenericAlias
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, create_model

from weighbridge.config.channels.channel_clashes import ChannelModels
from weighbridge.config.channels.channel_settings import CHANNELS
from weighbridge.config.channels.written_channel import made_channel, written_channel
from weighbridge.config.registries.registry_settings import RegistrySettings
from weighbridge.config.registries.written_registry import (
    RegistryModels,
    kind_of_url,
    made_registry,
    written_registry,
)
from weighbridge.config.settings import Settings


class Kinds:
    """Of each kind the model of its keys, by its name, in the order in which kinds are
    named to people."""

    def __init__(self, registries: RegistryModels, channels: ChannelModels) -> None:
        self.registries = registries
        self.channels = channels

    @cached_property
    def hosts(self) -> Mapping[str, str]:
        """Hosts that are known for a kind, each with the one where the registry is."""
        models = self.registries.values()
        return {host: main for model in models for host, main in model.hosts.items()}

    def kind_of(self, kind: str, url: str) -> str:
        """The kind of a registry. kind: as written; url: a checked one"""
        return kind_of_url(self.registries, kind, url)

    @cached_property
    def settings(self) -> type[Settings]:
        """The model of a configuration: every entry becomes the model of its kind."""
        channel = AfterValidator(partial(made_channel, self.channels))
        return _settings_of(self._entry, Annotated[self._channel, channel])

    @cached_property
    def written(self) -> type[Settings]:
        """The same as it is shown: every entry keeps the keys of all kinds."""
        return _settings_of(self._registry, self._channel)

    @cached_property
    def entry(self) -> TypeAdapter[RegistrySettings]:
        """Checks one entry of `registries`."""
        return TypeAdapter(self._entry)

    # Types that are only known while this runs.
    @cached_property
    def _entry(self) -> Any:
        registry = AfterValidator(partial(made_registry, self.registries))
        return Annotated[self._registry, registry]

    @cached_property
    def _registry(self) -> Any:
        return written_registry(self.registries)

    @cached_property
    def _channel(self) -> Any:
        return written_channel(self.channels)


def _settings_of(registry: Any, channel: Any) -> type[Settings]:
    # `tuple[registry, ...]` would be a type to mypy, which has to know it.
    registries: Any = GenericAlias(tuple, (registry, ...))
    channels: Any = GenericAlias(tuple, (channel, ...))
    some_channels: Any = Annotated[channels, Field(max_length=CHANNELS)]
    return create_model(
        "WrittenSettings",
        __base__=Settings,
        registries=(registries, ()),
        channels=(some_channels, ()),
    )
