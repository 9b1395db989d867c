"""What is written, before it is checked: values, and where each of them stands; and
the words of configuration errors: one line a fault, all of them at once."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Final, get_args

from msgspec import Struct, field
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from weighbridge.config.file.regular_file import (
    read_regular,
    read_secret_file,
    why_unreadable,
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
from weighbridge.domain.text.nearest import nearest
from weighbridge.domain.text.printable import printable
from weighbridge.errors import ConfigError

SHOWN_CHARACTERS: Final = 60
SHOWN_FAULTS: Final = 50
_UNSHOWN_KEYS: Final = frozenset(
    {"auth", "database_url", "database_url_file", "redis_url", "redis_url_file"}
)
_UNSHOWN_OF_CHANNELS: Final = frozenset({"url", "urls", "secret", "secrets", "smtp"})

_WORDS: Final = {
    "missing": "is missing",
    "string_type": "must be a text: put it in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "tuple_type": "must be a list: [one, two]",
    "model_type": "must hold keys, such as key: value",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must name at least one",
    "too_long": "must not name more than {max_length}",
    "literal_error": "one of {expected}",
}
_CODES: Final = {"extra_forbidden": "unknown_key", "missing": "missing_key"}


class Fault(Struct, frozen=True):
    """One line of the error.

    place: `weighbridge.yaml:9`, a variable or an option
    shown: the value as it was written, or "" where it may be a secret
    """

    place: str
    path: Path
    message: str
    code: str
    shown: str = ""

    @property
    def key(self) -> str:
        return key_of(self.path) + (f" = {self.shown}" if self.shown else "")


def config_error(faults: Sequence[Fault]) -> ConfigError:
    """The error for these faults; its code is theirs, or `config` for a mixture.

    One line a fault, whatever the names of files hold: the first of them, and how many
    there are besides.
    """
    codes = {fault.code for fault in faults}
    code = codes.pop() if len(codes) == 1 else "config"
    faults, more = faults[:SHOWN_FAULTS], len(faults) - SHOWN_FAULTS
    place_width = max(len(fault.place) for fault in faults)
    key_width = max(len(fault.key) for fault in faults)
    lines = [
        printable(
            "  ".join(
                column
                for column in (
                    fault.place.ljust(place_width),
                    fault.key.ljust(key_width),
                    fault.message,
                )
                if column
            )
        )
        for fault in faults
    ]
    if more > 0:
        lines.append(f"and {more:,} more")
    error = ConfigError("\n".join(lines), code=code)
    error.faults = len(faults) + max(more, 0)
    return error


def key_of(path: Path) -> str:
    """`registries[0].limits.concurrency`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{printable(step)}" if text else printable(step)
    return text


def path_of(error: ErrorDetails) -> Path:
    """Where the error is; a check of a whole mapping names the key itself."""
    path = tuple(error["loc"])
    at = error.get("ctx", {}).get("at")
    return (*path, str(at)) if at is not None else path


def code_of(error: ErrorDetails) -> str:
    """Our code of a pydantic error; our own checks bring theirs."""
    kind = error["type"]
    return _CODES.get(kind, "invalid_value" if kind in _WORDS else kind)


def message_of(error: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong and what would be right."""
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(error, model)
    if kind in _WORDS:
        context = dict(error.get("ctx", {}))
        expected = str(context.get("expected", ""))
        context["expected"] = expected.replace("'", "").replace(" or ", ", ")
        return _WORDS[kind].format(**context)
    return error["msg"]


def shown(error: ErrorDetails) -> str:
    """The scalar that was written, cut, or "" where it could hold a secret."""
    context = error.get("ctx", {})
    value = context.get("shown", error["input"])
    if _UNSHOWN_KEYS.intersection(error["loc"]) or _is_of_channel(error["loc"]):
        return ""
    if error["type"] in ("missing", "extra_forbidden"):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value) if isinstance(value, str | int | float) else ""
    if "@" in text:
        return ""
    return printable(text, SHOWN_CHARACTERS)


def _is_of_channel(path: Path) -> bool:
    """Whether this may be the address of a channel, which often is its secret, or a
    webhook's secret; it may stand where the channel or webhook was to stand."""
    if path[:1] not in (("channels",), ("webhooks",)):
        return False
    return len(path) < 3 or path[2] in _UNSHOWN_OF_CHANNELS


def meant_path(error: ErrorDetails, model: type[BaseModel]) -> Path | None:
    """Of an unknown key the path of the known one that is most like it; else None."""
    if error["type"] != "extra_forbidden":
        return None
    *parents, key = error["loc"]
    known = _keys_at(model, parents)
    near = nearest(str(key), known, 1, alike=0.6)
    return (*parents, near[0]) if near else None


def _unknown_key(error: ErrorDetails, model: type[BaseModel]) -> str:
    if meant := meant_path(error, model):
        return f"unknown key, did you mean {meant[-1]}?"
    known = _keys_at(model, error["loc"][:-1])
    return f"unknown key, known here are {', '.join(known)}"


def _keys_at(model: type[BaseModel], path: Iterable[str | int]) -> list[str]:
    for step in path:
        if isinstance(step, str):
            fields = {field.alias or name: field for name, field in _fields(model)}
            inner = _model_in(fields[step].annotation)
            if inner is None:
                return []
            model = inner
    return [field.alias or name for name, field in _fields(model)]


def _fields(model: type[BaseModel]) -> Iterable[tuple[str, FieldInfo]]:
    return model.model_fields.items()


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        if (found := _model_in(argument)) is not None:
            return found
    return None


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
