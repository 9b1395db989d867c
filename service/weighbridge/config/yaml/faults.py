"""The words of configuration errors: one line a fault, all of them at once."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Final, get_args

from msgspec import Struct
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from weighbridge.config.yaml.reader import Path
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
    nearest = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
    return (*parents, nearest[0]) if nearest else None


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
