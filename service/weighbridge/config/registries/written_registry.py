"""An entry of `registries` as it is written: of whatever kind."""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, PlainValidator, create_model
from pydantic_core import PydanticCustomError

from weighbridge.config.registries.registry_settings import AUTO, RegistrySettings
from weighbridge.config.value.clashes import Clash, without
from weighbridge.config.value.keys import StrictModel
from weighbridge.config.value.merged_keys import (
    given,
    keys_of,
    keys_of_others,
    made,
    merged_fields,
)
from weighbridge.config.value.written_address import host_of

RegistryModels: TypeAlias = Mapping[str, type[RegistrySettings]]
DISTRIBUTION: Final = "distribution"
"""What every registry is that has no kind of its own."""
_FIRST: Final = ("name", "kind", "url")


def written_registry(models: RegistryModels) -> type[BaseModel]:
    """The model of an entry with the keys of all kinds."""
    names = (AUTO, *models)

    def is_known(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        words, known = "kinds of this version are {kinds}", {"kinds": ", ".join(names)}
        raise PydanticCustomError("unknown_kind", words, known)

    shared = tuple(RegistrySettings.model_fields)
    last = shared[len(_FIRST) :]
    fields = merged_fields((RegistrySettings, *models.values()), _FIRST, last, shared)
    fields["kind"] = (Annotated[str, PlainValidator(is_known)], AUTO)
    return create_model("WrittenRegistry", __base__=StrictModel, **fields)


def kind_of_url(models: RegistryModels, kind: str, url: str) -> str:
    """The kind of a registry. kind: as written; url: a checked one"""
    if kind != AUTO:
        return kind
    host = host_of(url)
    return next((k for k, model in models.items() if host in model.hosts), DISTRIBUTION)


def made_registry(models: RegistryModels, written: BaseModel) -> RegistrySettings:
    """The entry as its own kind has it. Raises ValidationError, PydanticCustomError."""
    values = given(written)
    kind = kind_of_url(models, values.get("kind", AUTO), values["url"])
    entry = made(models[kind], values)
    return without(entry, _clash(models, keys_of_others(models[kind], values)))


def _clash(models: RegistryModels, others: frozenset[str]) -> Clash | None:
    """others: keys that a registry of this kind does not have"""
    if not others:
        return None
    key = min(others)
    kinds = " or ".join(kind for kind, model in models.items() if key in keys_of(model))
    return Clash(key, "invalid_value", f"is for kind: {kinds} alone")
