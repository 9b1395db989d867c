"""What is written, before it is checked: values, and where each of them stands."""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Final

from msgspec import Struct, field
from pydantic import BaseModel, ValidationError

from weighbridge.config.file.regular_file import (
    read_regular,
    read_secret_file,
    why_unreadable,
)
from weighbridge.config.yaml.faults import (
    SHOWN_CHARACTERS,
    Fault,
    code_of,
    config_error,
    meant_path,
    message_of,
    path_of,
    shown,
)
from weighbridge.config.yaml.reader import (
    DOCUMENT_BYTES,
    Node,
    Path,
    Plain,
    line_of,
    mappings,
    plain,
    read_document,
)
from weighbridge.domain.text.printable import printable
from weighbridge.errors import ConfigError

DATABASE_URL: Final[Path] = ("database_url",)
REDIS_URL: Final[Path] = ("redis_url",)
DEFAULT: Final = "default"
"""The place of what was not written."""


class Draft(Struct):
    """A tree of plain values that file, environment and options fill in turn.

    file:   the configuration file's name as it is shown, "" for none
    folder: where relative paths of the file start
    places: the option or variable that a path's value came from
    faults: what is wrong already, before the keys are checked
    example: a key that such a file may have
    """

    tree: dict[str, Plain] = field(default_factory=dict)
    root: Node | None = None
    file: str = ""
    folder: FilePath = field(default_factory=FilePath)
    places: dict[Path, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    example: str = "registries"

    def read_file(self, file: str) -> None:
        """Raises ConfigError if the file cannot be read at all."""
        self.file, self.folder = file, FilePath(file).parent
        document = read_document(_content(file))
        self.faults += [
            Fault(f"{file}:{fault.line}", fault.path, fault.message, fault.code)
            for fault in document.faults
        ]
        self.root = document.root
        if document.root is None:
            return
        try:
            tree = plain(document.root)
        except OverflowError:
            message = "grows too large when its aliases are written out"
            self.note((), message, "too_large")
            return
        if isinstance(tree, dict):
            self.tree = tree
            self.faults += self._repeated_names()
        else:
            message = f"must hold keys, such as {self.example}:"
            self.note((), message, "invalid_yaml")

    def overlay(self, path: Path, value: str | None, place: str) -> None:
        """Put a value over whatever the file says; None leaves it."""
        if value is None:
            return
        *parents, key = path
        table = self.tree
        for parent in parents:
            inner = table.setdefault(str(parent), {})
            if not isinstance(inner, dict):
                return  # told as a fault of the file
            table = inner
        table[str(key)] = value
        self.places[path] = place
        if path in (DATABASE_URL, REDIS_URL):
            self.tree.pop(_twin_of(path), None)

    def read_url(self, path: Path, file: FilePath, place: str) -> None:
        """Take a URL that may hold a password from a secret file."""
        try:
            secret = read_secret_file(file)
        except ConfigError as exc:
            fault = Fault(place, (_twin_of(path),), exc.message, exc.code)
            self.faults.append(fault)
        else:
            self.overlay(path, secret.reveal(), place)

    def settle_urls(self, default: str) -> None:
        """Turn the `_file` twins into their text, and no database into the default."""
        for path in (DATABASE_URL, REDIS_URL):
            self._settle_url(path)
        if "database_url" not in self.tree:
            self.tree["database_url"] = default
            self.places[DATABASE_URL] = DEFAULT

    def _settle_url(self, path: Path) -> None:
        twin = _twin_of(path)
        file = self.tree.get(twin)
        if not isinstance(file, str):
            return
        if str(path[0]) in self.tree:
            self.note(path, f"excludes {twin}: keep one", "twin_keys")
            return
        self.read_url(path, FilePath(self.folder, file), self.place((twin,)))

    def note(self, path: Path, message: str, code: str, shown: str = "") -> None:
        """Keep a fault of the value at this path."""
        text = printable(shown, SHOWN_CHARACTERS)
        self.faults.append(Fault(self.place(path), path, message, code, text))

    def note_errors(self, error: ValidationError, model: type[BaseModel]) -> None:
        """Keep pydantic's faults, but for places that are known to be wrong already,
        and for lists that are too short only because an item of theirs is wrong."""
        known = [fault.path for fault in self.faults if fault.path]
        details_of = {path_of(details): details for details in error.errors()}
        # What is missing may be there, with a slip in its name.
        meant = {meant_path(details, model) for details in details_of.values()}
        for path, details in details_of.items():
            if any(path[: len(wrong)] == wrong for wrong in known):
                continue
            if details["type"] == "missing" and path in meant:
                continue
            if details["type"] == "too_short" and any(
                other[: len(path)] == path for other in details_of if other != path
            ):
                continue
            message, code = message_of(details, model), code_of(details)
            place, text = self.place(path), shown(details)
            self.faults.append(Fault(place, path, message, code, text))

    def place(self, path: Path) -> str:
        """Where this path was written: an option, a variable, or file and line."""
        for length in range(len(path), 0, -1):
            if place := self.places.get(path[:length]):
                return place
        if self.root is None:
            return self.file or "settings"
        return f"{self.file}:{line_of(self.root, path)}"

    def in_order(self) -> list[Fault]:
        """The faults as they stand in the file, those from elsewhere last."""

        def order(fault: Fault) -> tuple[bool, int]:
            _, _, line = fault.place.rpartition(":")
            is_in_file = bool(self.file) and fault.place.startswith(self.file)
            return not is_in_file, int(line) if is_in_file and line.isdigit() else 0

        return sorted(dict.fromkeys(self.faults), key=order)

    def _repeated_names(self) -> Iterator[Fault]:
        """Checked here because pydantic checks a list as a whole only once all of
        its items are right, and every fault is to be told at once."""
        seen: set[str] = set()
        for index, entry in mappings(self.tree.get("registries")):
            name = entry.get("name")
            if isinstance(name, str):
                path: Path = ("registries", index, "name")
                if name in seen:
                    message = "is the name of another registry too"
                    yield Fault(self.place(path), path, message, "duplicate_name")
                seen.add(name)


def _twin_of(path: Path) -> str:
    """The key that names the file of a secret."""
    return f"{path[0]}_file"


def _content(file: str) -> bytes:
    try:
        return read_regular(file, DOCUMENT_BYTES)
    except (OSError, ValueError) as exc:
        fault = Fault(file, (), why_unreadable(exc), "unreadable_file")
        raise config_error([fault]) from exc
