"""Entries of one address: allowed where they can never want the same repository.

An address is one registry, so its repositories are one set: each of them is crawled by
one entry, with that entry's credential.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path as FilePath
from typing import NamedTuple

from pydantic import ValidationError

from weighbridge.config.kinds import Kinds
from weighbridge.config.registries.registry_settings import RegistrySettings
from weighbridge.config.value.clashes import Clash
from weighbridge.config.yaml.nodes import Path, Plain
from weighbridge.domain.registry.listing import registry_address
from weighbridge.domain.text.globs import common_name


class _Entry(NamedTuple):
    number: int
    settings: RegistrySettings


def address_clashes(
    kinds: Kinds, tree: Mapping[str, Plain], folder: FilePath
) -> Iterator[tuple[Path, Clash]]:
    """Each entry that may want a repository which an earlier one of its address wants
    too, with the path of its mapping. Entries that are wrong themselves are left to
    their own checks."""
    by_address: dict[str, list[_Entry]] = {}
    for entry in _entries(kinds, tree.get("registries"), folder):
        address = registry_address(entry.settings.url, kinds.hosts)
        by_address.setdefault(address, []).append(entry)
    for address, entries in by_address.items():
        for earlier, later in combinations(entries, 2):
            clash = _clash(address, earlier.settings, later.settings)
            if clash is not None:
                yield ("registries", later.number), clash


def _entries(kinds: Kinds, registries: Plain, folder: FilePath) -> Iterator[_Entry]:
    written = registries if isinstance(registries, list) else []
    if len(written) < 2:
        return
    for number, entry in enumerate(written):
        try:
            settings = kinds.entry.validate_json(
                json.dumps(entry), context={"folder": folder}
            )
        except ValidationError:
            continue
        yield _Entry(number, settings)


def _clash(
    address: str, earlier: RegistrySettings, later: RegistrySettings
) -> Clash | None:
    name = common_name(earlier.wanted_repositories, later.wanted_repositories)
    if name is None or earlier.name == later.name:
        return None
    both = f"{earlier.name} and {later.name}"
    example = f", such as {name}" if name else ""
    words = (
        f"{both} are one registry ({address}) and both may include the same "
        f"repository{example}: keep them apart by repositories.include and exclude"
    )
    return Clash("url", "overlapping_registries", words, later.url)
