"""What a configuration may name that stands elsewhere: kinds of registries, kinds of
channels. Whoever loads a configuration says which there are.

An entry is checked as one mapping with the keys of all kinds, so that each fault is
told beside the others, also in an entry whose kind is wrong itself. What is right
becomes the model of its own kind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from pathlib import Path as FilePath
from types import GenericAlias
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticKnownError

from weighbridge.config.channels.channel_settings import (
    CHANNELS,
    ChannelSettings,
    check_address,
)
from weighbridge.config.registries.registry_settings import AUTO, RegistrySettings
from weighbridge.config.settings import Settings
from weighbridge.config.value.clashes import Clash, without
from weighbridge.config.value.value_types import StrictModel
from weighbridge.config.value.written_address import host_of
from weighbridge.config.yaml.reader import Path, Plain, mappings
from weighbridge.domain.text.printable import Secret

RegistryModels: TypeAlias = Mapping[str, type[RegistrySettings]]
ChannelModels: TypeAlias = Mapping[str, type[ChannelSettings]]
DISTRIBUTION: Final = "distribution"
"""What every registry is that has no kind of its own."""
_FIRST_OF_REGISTRY: Final = ("name", "kind", "url")
_ALWAYS: Final = frozenset({"name", "kind"})
_TWINS: Final = (("url", "url_file"), ("secret", "secret_file"))
_REQUIRED: Final = ("name", "kind")
# What addresses are checked against comes before them.
_FIRST: Final = (
    *_REQUIRED,
    *("allow_private", "plain_http", "url", "url_file", "urls"),
)
_LAST: Final = ("ca_file", "proxy")
# What `pydantic.create_model` takes: types that are only known while this runs.
Fields: TypeAlias = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)


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
        if kind != AUTO:
            return kind
        return self.kind_of_host(host_of(url)) or DISTRIBUTION

    def kind_of_host(self, host: str) -> str | None:
        """The kind that this host is known for; None: it may be any."""
        models = self.registries.items()
        found = (kind for kind, model in models if _is_known_for(model, host))
        return next(found, None)

    @cached_property
    def settings(self) -> type[Settings]:
        """The model of a configuration: every entry becomes the model of its kind."""
        channel = AfterValidator(self._made_channel)
        return _settings_of(self._entry, Annotated[self._channel, channel])

    @cached_property
    def written(self) -> type[Settings]:
        """The same as it is shown: every entry keeps the keys of all kinds."""
        return _settings_of(self._registry, self._channel)

    @cached_property
    def entry(self) -> TypeAdapter[RegistrySettings]:
        """Checks one entry of `registries`."""
        return TypeAdapter(self._entry)

    def imply_urls(self, tree: Mapping[str, Plain]) -> None:
        """Write into each entry without a URL the one that its other keys say."""
        for _, entry in mappings(tree.get("registries")):
            if entry.get("url") is not None:
                continue
            kind = entry.get("kind", AUTO)
            models = self.registries.items()
            asked = (model for name, model in models if kind in (name, AUTO))
            urls = (model.implied_url(entry) for model in asked)
            if url := next(filter(None, urls), None):
                entry["url"] = url

    def route_clashes(self, tree: Mapping[str, Plain]) -> Iterator[tuple[Path, Clash]]:
        """Every clash of what is written under `channels` and `routes`, with the path
        of its mapping."""
        known = _ALWAYS.union(*map(keys_of, self.channels.values()))
        names: set[str] = set()
        for index, entry in mappings(tree.get("channels")):
            path: Path = ("channels", index)
            name = entry.get("name")
            if isinstance(name, str):
                if name in names:
                    words = "is the name of another channel too"
                    yield path, Clash("name", "duplicate_name", words, name)
                names.add(name)
            kind, has_slip = str(entry.get("kind")), not entry.keys() <= known
            for clash in self._channel_clashes(kind, given_keys(entry)):
                # What is missing may be there, with a slip in its name.
                if clash.code != "missing_key" or not has_slip:
                    yield path, clash
            for model in self.channels.values():
                for inner, clash in model.clashes_within(entry):
                    yield (*path, *inner), clash
        for index, entry in mappings(tree.get("routes")):
            channel = entry.get("channel")
            if isinstance(channel, str) and channel not in names:
                there = ", ".join(sorted(names)) or "none"
                words = f"is no channel: there is {there}"
                yield (
                    ("routes", index),
                    Clash("channel", "unknown_channel", words, channel),
                )

    # Types that are only known while this runs.
    @cached_property
    def _entry(self) -> Any:
        return Annotated[self._registry, AfterValidator(self._made_registry)]

    @cached_property
    def _registry(self) -> Any:
        """The model of an entry with the keys of all kinds."""
        names = (AUTO, *self.registries)

        def is_known(value: object) -> str:
            if isinstance(value, str) and value in names:
                return value
            words, known = (
                "kinds of this version are {kinds}",
                {"kinds": ", ".join(names)},
            )
            raise PydanticCustomError("unknown_kind", words, known)

        shared = tuple(RegistrySettings.model_fields)
        last = shared[len(_FIRST_OF_REGISTRY) :]
        every: tuple[type[BaseModel], ...] = (
            RegistrySettings,
            *self.registries.values(),
        )
        fields = merged_fields(every, _FIRST_OF_REGISTRY, last, shared)
        fields["kind"] = (Annotated[str, PlainValidator(is_known)], AUTO)
        return create_model("WrittenRegistry", __base__=StrictModel, **fields)

    def _made_registry(self, written: BaseModel) -> RegistrySettings:
        """The entry as its own kind has it. Raises ValidationError,
        PydanticCustomError."""
        values = given(written)
        model = self.registries[self.kind_of(values.get("kind", AUTO), values["url"])]
        entry = made(model, values)
        others = given_keys(values) - set(keys_of(model))
        if not others:
            return entry
        key = min(others)
        words = f"is for kind: {_kinds_with(key, self.registries)} alone"
        return without(entry, Clash(key, "invalid_value", words))

    @cached_property
    def _channel(self) -> Any:
        """The model of an entry with the keys of all kinds."""
        models = self.channels
        *names, last = (f"'{name}'" for name in models)
        expected = f"{', '.join(names)} or {last}"

        def is_known(value: object) -> str:
            if isinstance(value, str) and value in models:
                return value
            raise PydanticKnownError("literal_error", {"expected": expected})

        class WithAddresses(StrictModel):
            """Where a kind may lead, its own model says."""

            model_config = ConfigDict(serialize_by_alias=True)

            @field_validator("url", "url_file", check_fields=False)
            @classmethod
            def _leads_somewhere(
                cls, value: Secret | FilePath | None, info: ValidationInfo
            ) -> Secret | FilePath | None:
                kind = info.data.get("kind")
                return (
                    value if kind is None else check_address(models[kind], value, info)
                )

        fields = merged_fields(models.values(), _FIRST, _LAST, _REQUIRED)
        fields["kind"] = (Annotated[str, PlainValidator(is_known)], ...)
        return create_model("WrittenChannel", __base__=WithAddresses, **fields)

    def _made_channel(self, written: BaseModel) -> ChannelSettings:
        """The channel as its own kind has it. Raises ValidationError,
        PydanticCustomError."""
        values = given(written)
        kind = str(values["kind"])
        clash = next(self._channel_clashes(kind, given_keys(values)), None)
        return made(self.channels[kind], without(values, clash))

    def _channel_clashes(self, kind: str, keys: Set[str]) -> Iterator[Clash]:
        """keys: those of a channel that have a value; False is none"""
        model = self.channels.get(kind)
        if model is None:
            return  # its own check says so
        allowed = keys_of(model)
        for key in sorted(keys - {*allowed, *_ALWAYS}):
            if kinds := _kinds_with(key, self.channels):
                yield Clash(key, "invalid_value", f"is for kind: {kinds}")
        for key, twin in _TWINS:
            if {key, twin} <= keys:
                yield Clash(key, "twin_keys", f"excludes {twin}: keep one")
        if "url" in allowed and not keys & {"url", "url_file"}:
            yield Clash("url_file", "missing_key", "is missing (or url)")
        for key in required_keys(model):
            if key not in keys and key not in _ALWAYS:
                yield Clash(key, "missing_key", "is missing")


def _settings_of(registry: Any, channel: Any) -> type[Settings]:
    # `tuple[registry, ...]` would be a type to mypy, which has to know it.
    entries: Any = GenericAlias(tuple, (registry, ...))
    registries: Any = Annotated[entries, AfterValidator(_parts_of)]
    channels: Any = GenericAlias(tuple, (channel, ...))
    some_channels: Any = Annotated[channels, Field(max_length=CHANNELS)]
    return create_model(
        "WrittenSettings",
        __base__=Settings,
        registries=(registries, ()),
        channels=(some_channels, ()),
    )


def _parts_of(entries: tuple[BaseModel, ...]) -> tuple[BaseModel, ...]:
    """Entries that are shown as they are written have no parts."""
    return tuple(
        part
        for entry in entries
        for part in (entry.parts() if isinstance(entry, RegistrySettings) else (entry,))
    )


def _is_known_for(model: type[RegistrySettings], host: str) -> bool:
    pattern = model.host_pattern
    return host in model.hosts or (
        pattern is not None and pattern.fullmatch(host) is not None
    )


def given_keys(entry: Mapping[str, object]) -> frozenset[str]:
    """The keys of a mapping, written or checked, that have a value."""
    nothing: tuple[object, ...] = (None, False, (), [])
    return frozenset(key for key, value in entry.items() if value not in nothing)


def _kinds_with(key: str, models: Mapping[str, type[BaseModel]]) -> str:
    return " or ".join(kind for kind, model in models.items() if key in keys_of(model))


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """As they are written."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def required_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """Those that must be written, as they are written."""
    fields = model.model_fields.items()
    return tuple(field.alias or name for name, field in fields if field.is_required())


def merged_fields(
    models: Iterable[type[BaseModel]],
    first: Sequence[str],
    last: Sequence[str],
    required: Sequence[str],
) -> Fields:
    """The fields of all models. A key that two of them have is one key, as the first
    of them has it.

    first, last: keys in their order; those that are not named stand between them
    required:    keys that every kind requires; others are no fault of the mapping
    """
    found: dict[str, FieldInfo] = {}
    for model in models:
        for name, field in model.model_fields.items():
            found.setdefault(name, field)
    own = [name for name in found if name not in (*first, *last)]
    return {
        name: _definition(found[name], may_lack=name not in required)
        for name in (*first, *own, *last)
        if name in found
    }


def _definition(field: FieldInfo, *, may_lack: bool) -> tuple[Any, Any]:
    annotation: Any = field.annotation
    if not (may_lack and field.is_required()):
        return annotation, field
    if get_origin(annotation) is tuple:
        return annotation, FieldInfo.merge_field_infos(field, default=())
    # What checks the value is not to see that there is none.
    metadata = field.metadata
    checked: Any = Annotated[annotation, *metadata] if metadata else annotation
    return checked | None, Field(default=None, alias=field.alias)


def given(written: BaseModel) -> dict[str, Any]:
    """What was written of a mapping, by its keys."""
    return {
        field.alias or name: getattr(written, name)
        for name, field in type(written).model_fields.items()
        if name in written.model_fields_set
    }


def made(model: type[Model], values: Mapping[str, object]) -> Model:
    """The model of its own kind, without what is a key of others. Raises
    ValidationError."""
    own = keys_of(model)
    return model.model_validate({k: v for k, v in values.items() if k in own})
