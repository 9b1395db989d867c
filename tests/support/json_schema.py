"""Enough of JSON Schema to hold an answer against the OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Final

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "boolean": bool,
}
_KNOWN: Final = frozenset(
    {
        "$ref",
        "anyOf",
        "const",
        "description",
        "enum",
        "format",
        "items",
        "properties",
        "required",
        "title",
        "type",
    }
)


def misfits(
    value: object, schema: Mapping[str, object], document: Mapping[str, object]
) -> list[str]:
    """Where the value is not as the schema says; a key that it does not name is one
    such place, and so is a keyword that this file does not know."""
    return list(_misfits(value, schema, document, "$"))


def _misfits(
    value: object,
    schema: Mapping[str, object],
    document: Mapping[str, object],
    place: str,
) -> Iterator[str]:
    if unknown := schema.keys() - _KNOWN:
        yield f"{place}: keywords {sorted(unknown)}"
    if isinstance(target := schema.get("$ref"), str):
        yield from _misfits(value, _resolved(target, document), document, place)
        return
    if isinstance(choices := schema.get("anyOf"), list):
        if all(misfits(value, choice, document) for choice in choices):
            yield f"{place}: {value!r} is none of {choices}"
        return
    if not _is_of_type(value, schema):
        yield f"{place}: {value!r} is no {schema.get('type')}"
        return
    if isinstance(allowed := schema.get("enum"), list) and value not in allowed:
        yield f"{place}: {value!r} is not in {allowed}"
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r} is not {schema['const']!r}"
    if isinstance(value, dict) and isinstance(schema.get("properties"), dict):
        yield from _keys(value, schema, document, place)
    if isinstance(value, list) and isinstance(each := schema.get("items"), dict):
        for number, item in enumerate(value):
            yield from _misfits(item, each, document, f"{place}[{number}]")


def _keys(
    value: Mapping[str, object],
    schema: Mapping[str, object],
    document: Mapping[str, object],
    place: str,
) -> Iterator[str]:
    properties, required = schema["properties"], schema.get("required", [])
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    if set(required) != properties.keys() or value.keys() != properties.keys():
        yield f"{place}: {sorted(value)} are not all of {sorted(properties)}"
    for name in value.keys() & properties.keys():
        yield from _misfits(value[name], properties[name], document, f"{place}.{name}")


def _is_of_type(value: object, schema: Mapping[str, object]) -> bool:
    if "type" not in schema:
        return True
    kind = str(schema["type"])
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _resolved(target: str, document: Mapping[str, object]) -> Mapping[str, object]:
    found: object = document
    for part in target.removeprefix("#/").split("/"):
        assert isinstance(found, dict)
        found = found[part]
    assert isinstance(found, dict)
    return found
