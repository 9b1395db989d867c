"""What stands for the ids of a database: digests and names, which two databases that
saw the same registry have in common."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, Table, select

from weighbridge.store.models import SCHEMA

BLOB_TABLES: Final = ("images", "artifacts")
"""Their `id` is a blob's."""
_REFERENCES: Final[Mapping[str, str]] = {
    "registry_id": "registries",
    "scope_id": "storage_scopes",
    "repository_id": "repositories",
    "sole_repository_id": "repositories",
    "tag_id": "tags",
    "platform_id": "platforms",
    "media_type_id": "media_types",
    "instruction_id": "instructions",
    "heaviest_instruction_id": "instructions",
    "base_chain_id": "base_chains",
} | dict.fromkeys(
    (
        "artifact_id",
        "before_image_id",
        "blob_id",
        "child_id",
        "config_id",
        "image_id",
        "index_id",
        "manifest_id",
        "newest_image_id",
        "target_id",
        "within_image_id",
    ),
    "blobs",
)


class RowNames:
    """Of one state of a database, read at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names: dict[str, dict[int, str]] = {}
        for name in ("media_types", "platforms", "instructions"):
            self._name(name, lambda row: str(row["text"]))
        self._name("base_chains", _chain_name)
        self._name("blobs", lambda row: str(row["digest"]))
        self._name("registries", lambda row: str(row["name"]))
        self._name("storage_scopes", self._below("registry_id", "registries"))
        self._name("repositories", self._below("registry_id", "registries"))
        self._name("tags", self._below("repository_id", "repositories", ":"))

    def value(self, table: Table, column: str, value: object) -> object:
        """The value of a column with names in place of ids."""
        if value is None:
            return None
        if (table.name, column) == ("lines", "entries"):
            return self._lines(str(value))
        if (table.name, column) == ("registries", "held"):
            ids = json.loads(str(value))
            return sorted(self._name_of("repositories", n) for n in ids)
        if column == "id" and table.name in BLOB_TABLES:
            return self._name_of("blobs", value)
        if column in _REFERENCES:
            return self._name_of(_REFERENCES[column], value)
        return value

    def is_named(self, column: str) -> bool:
        """Whether a column of this name refers to what has a name."""
        return column in _REFERENCES

    def _name(self, table: str, name_of: Callable[[Mapping[str, object]], str]) -> None:
        rows = self._connection.execute(select(SCHEMA.tables[table])).mappings()
        self._names[table] = {int(row["id"]): name_of(dict(row)) for row in rows}

    def _below(
        self, column: str, table: str, separator: str = "/"
    ) -> Callable[[Mapping[str, object]], str]:
        def name_of(row: Mapping[str, object]) -> str:
            above = self._name_of(table, row[column])
            return f"{above}{separator}{row['name']}"

        return name_of

    def _lines(self, entries: str) -> list[object]:
        return [
            [self._name_of("instructions", instruction), *rest]
            for instruction, *rest in json.loads(entries)
        ]

    def _name_of(self, table: str, identity: object) -> str:
        assert isinstance(identity, int)
        return self._names[table].get(identity, f"<no {table} {identity}>")


def _chain_name(row: Mapping[str, object]) -> str:
    parts = (row["chain"], row["history"])
    return " ".join(part.hex() for part in parts if isinstance(part, bytes))
