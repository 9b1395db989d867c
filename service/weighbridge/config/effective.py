"""The settings that hold, each with where it is from; secrets left out."""

import json
from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct
from pydantic import BaseModel

from weighbridge.config.kinds import Kinds
from weighbridge.config.load import load_with_origins
from weighbridge.config.policies.policy_files import PolicySettings
from weighbridge.config.registries.registry_settings import (
    LimitSettings,
    RegistrySettings,
)
from weighbridge.config.settings import Settings
from weighbridge.config.value.written_address import shown_url
from weighbridge.config.yaml.draft import DEFAULT, Draft
from weighbridge.config.yaml.reader import Path, Plain
from weighbridge.domain.text.printable import REDACTED, Secret


class ShownValue(Struct, frozen=True):
    """A value as it is, or would be, written.

    origin: `weighbridge.yaml:9`, a variable, an option, or `default`
    """

    value: Plain
    origin: str


Tree: TypeAlias = "ShownValue | list[Tree] | dict[str, Tree]"


def effective_settings(
    path: str | None,
    environ: Mapping[str, str],
    kinds: Kinds,
    *,
    database_url: str | None = None,
) -> Tree:
    """Every key with its value, of registries and channels those of every kind. Raises
    ConfigError."""
    settings, draft = load_with_origins(path, environ, kinds, database_url=database_url)
    written = kinds.written.model_validate_json(
        json.dumps(draft.tree), context={"folder": draft.folder}
    )
    # What they decide is the same for all parts of an entry.
    by_entry = {registry.entry: registry for registry in settings.registries}
    decided = [
        registry.model_copy(update=_decided(settings, by_entry[registry.name]))
        for registry in written.registries
    ]
    whole = written.model_copy(update={"registries": tuple(decided)})
    # What has no form in JSON has one as text; a secret's is `<redacted>`.
    dumped = whole.model_dump(mode="json", fallback=str)
    return _Shower(draft).shown(whole, dumped, ())


def _decided(settings: Settings, registry: RegistrySettings) -> dict[str, object]:
    """What `defaults`, or where it is, decide for it."""
    pace = settings.pace_of(registry)
    limits = LimitSettings(
        requests_per_second=pace.requests_per_second,
        concurrency=pace.concurrency,
        keep_quota=settings.keep_quota_of(registry),
    )
    return {"interval": settings.interval_of(registry), "limits": limits}


class _Shower:
    """Walks over settings and what was written of them."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def shown(self, value: object, dumped: Plain, path: Path) -> Tree:
        """dumped: the value as pydantic writes it, for what was not written."""
        if isinstance(value, BaseModel) and isinstance(dumped, dict):
            return {
                key: self.shown(getattr(value, name), dumped.get(key), (*path, key))
                for name, key in _names(value)
            }
        models = _models_in(value)
        if models and isinstance(dumped, list):
            return [
                self.shown(model, dumped[index], (*path, index))
                for index, model in enumerate(models)
            ]
        is_written, written = _find(self._draft.tree, path)
        origin = self._draft.place(path) if is_written else self._of_default(path)
        if isinstance(value, Secret):
            is_url = path[-1] in ("database_url", "redis_url")
            return ShownValue(shown_url(value) if is_url else REDACTED, origin)
        if _holds_secret(value):
            return ShownValue(REDACTED, origin)
        return ShownValue(written if is_written else dumped, origin)

    def _of_default(self, path: Path) -> str:
        """`defaults` decides for registries what they do not say themselves."""
        if path[:1] == ("registries",):
            above: Path = ("defaults", *path[2:])
            if _find(self._draft.tree, above)[0]:
                return self._draft.place(above)
        return DEFAULT


def _names(model: BaseModel) -> list[tuple[str, str]]:
    """The fields that are shown, each with its key. What a policy does not say is left
    to the next one, while `null` would decide: it cannot be shown as a value."""
    names = type(model).model_fields
    is_policy = isinstance(model, PolicySettings)
    return [
        (name, field.alias or name)
        for name, field in names.items()
        if not is_policy or name in model.model_fields_set
    ]


def _models_in(value: object) -> list[BaseModel]:
    items = value if isinstance(value, tuple) else ()
    return [item for item in items if isinstance(item, BaseModel)]


def _holds_secret(value: object) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_holds_secret, value))
    if isinstance(value, Struct):
        names = type(value).__struct_fields__
        return any(_holds_secret(getattr(value, name)) for name in names)
    return isinstance(value, Secret)


def _find(tree: Plain, path: Path) -> tuple[bool, Plain]:
    """Whether something is written at this path, and what."""
    for step in path:
        if isinstance(tree, dict) and step in tree:
            tree = tree[str(step)]
        elif isinstance(tree, list) and isinstance(step, int) and step < len(tree):
            tree = tree[step]
        else:
            return False, None
    return True, tree
