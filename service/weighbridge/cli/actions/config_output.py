"""What `weighbridge config show` prints: YAML with origins, or JSON."""

from collections.abc import Iterator

import yaml

from weighbridge.config.effective import ShownValue, Tree
from weighbridge.config.yaml.draft import key_of
from weighbridge.config.yaml.reader import Plain
from weighbridge.domain.text.printable import printable
from weighbridge.presentation.forms.csv_json_markdown import json_text


def as_yaml(tree: Tree) -> str:
    """A line a value, with where it is from as a comment behind it."""
    lines = list(_lines(tree, ""))
    width = max(len(text) for text, origin in lines if origin)
    return "\n".join(
        f"{text.ljust(width)}  # {printable(origin)}" if origin else text
        for text, origin in lines
    )


def as_json(tree: Tree) -> str:
    """`{"settings": ..., "origins": {"web.bind": ...}}`."""
    origins = {key_of(path): origin for path, origin in _origins(tree, ())}
    return json_text({"settings": _plain(tree), "origins": origins})


def _lines(tree: Tree, indent: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, list):
        for item in tree:
            first, *rest = _lines(item, f"{indent}  ")
            yield f"{indent}- {first[0].strip()}", first[1]
            yield from rest
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(value, ShownValue):
                yield f"{indent}{key}: {_flow(value.value)}", value.origin
            else:
                yield f"{indent}{key}:", ""
                yield from _lines(value, f"{indent}  ")
    else:
        yield f"{indent}{_flow(tree.value)}", tree.origin


def _flow(value: Plain) -> str:
    """On one line, read back as the same."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=1_000_000, allow_unicode=False
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(tree: Tree) -> object:
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    if isinstance(tree, dict):
        return {key: _plain(value) for key, value in tree.items()}
    return tree.value


def _origins(
    tree: Tree, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from _origins(item, (*path, index))
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _origins(value, (*path, key))
    else:
        yield path, tree.origin
