"""What the bodies of a vendor's API hold: each member with its types and its source.
What a replica answers is held against it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Member:
    """types: of its value
    of:       what it holds if it is an object, or each element of it if it is a list
    """

    types: tuple[type, ...]
    source: str
    is_required: bool = True
    of: "Mapping[str, Member] | None" = None


NULL: Final = type(None)


def misfits(value: object, schema: Mapping[str, Member], place: str = "$") -> list[str]:
    """Where an object is not as the vendor writes it; also a member that it never
    has."""
    return list(_misfits(value, schema, place))


def misfits_of_each(values: object, schema: Mapping[str, Member]) -> list[str]:
    """The same of a list of such objects."""
    if not isinstance(values, list):
        return ["$: no list"]
    return [
        misfit
        for number, value in enumerate(values)
        for misfit in _misfits(value, schema, f"$[{number}]")
    ]


def _misfits(value: object, schema: Mapping[str, Member], place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: no object"
        return
    required = {name for name, member in schema.items() if member.is_required}
    if missing := required - value.keys():
        yield f"{place}: without {sorted(missing)}"
    if unknown := value.keys() - schema.keys():
        yield f"{place}: {sorted(unknown)} is never there"
    for name in value.keys() & schema.keys():
        member, found = schema[name], value[name]
        if type(found) not in member.types:
            yield f"{place}.{name}: {found!r}, against {member.source}"
        elif member.of is not None and isinstance(found, list):
            for number, each in enumerate(found):
                yield from _misfits(each, member.of, f"{place}.{name}[{number}]")
        elif member.of is not None and found is not None:
            yield from _misfits(found, member.of, f"{place}.{name}")
