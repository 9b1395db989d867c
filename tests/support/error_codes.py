"""Every error code that the source names, found in its syntax.

A code is a literal in the place of a parameter or field that is called `code`,
`reason` or `fault`. Where these places are is read from the source too, so that a new
function that takes a code is known at once.
"""

import ast
import gc
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")
_CARRIERS: Final = frozenset({"code", "reason", "fault"})
_TABLES: Final = frozenset({"_CODES", "_UNKNOWN", "_MEANING"})
"""Mappings to codes, or to tuples that begin with one."""
_KEYWORDS: Final = frozenset({"code", "reason", "missing"})
_ELSEWHERE: Final = {"PydanticCustomError": 0, "fromkeys": 1}
"""Functions that are not ours, and where they take a code."""
_WITH_REASON: Final = frozenset(
    {"tuple[RepositoryState, str]", "tuple[RegistryState, str]"}
)
"""What functions return that give a state and its code."""

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_Positions: TypeAlias = Mapping[str, set[int]]


def codes_in(folder: Path) -> set[str]:
    """Every code in the Python files below the folder."""
    nodes = [
        node
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(_parsed(path))
    ]
    positions = _positions(nodes)
    return {
        code
        for node in nodes
        for value in _places(node, positions)
        for code in _codes(value)
    }


def _parsed(path: Path) -> ast.Module:
    """Without the garbage collector: what it ends may run Python code, by which
    `ast.parse` of Python 3.11 loses count of its own depth (CPython issue 106905)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        if was_enabled:
            gc.enable()


def texts_in(folder: Path) -> set[str]:
    """Every literal text in the Python files below the folder."""
    return {
        node.value
        for path in folder.rglob("*.py")
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _positions(nodes: Iterable[ast.AST]) -> _Positions:
    """Which positional arguments of which function or class are codes."""
    found: dict[str, set[int]] = defaultdict(set)
    for name, position in _ELSEWHERE.items():
        found[name].add(position)
    for node in nodes:
        if isinstance(node, _Function):
            found[node.name] |= _carriers(_parameters(node))
        elif isinstance(node, ast.ClassDef):
            found[node.name] |= _carriers(_fields(node))
    return found


def _carriers(names: Iterable[str]) -> set[int]:
    return {place for place, name in enumerate(names) if name in _CARRIERS}


def _parameters(function: _Function) -> list[str]:
    arguments = function.args.posonlyargs + function.args.args
    return [argument.arg for argument in arguments if argument.arg != "self"]


def _fields(made: ast.ClassDef) -> list[str]:
    for item in made.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _parameters(item)
    return [
        item.target.id
        for item in made.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]


def _places(node: ast.AST, positions: _Positions) -> Iterator[ast.expr]:
    """The expressions of this node that stand where a code is meant."""
    if isinstance(node, ast.Call):
        yield from (k.value for k in node.keywords if k.arg in _KEYWORDS)
        taken = positions.get(_name(node.func), set())
        yield from (arg for place, arg in enumerate(node.args) if place in taken)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(_name(target) in _CARRIERS | _TABLES for target in targets):
            yield node.value
    elif isinstance(node, _Function):
        yield from _defaults(node.args)
        yield from _returned(node)


def _defaults(arguments: ast.arguments) -> Iterator[ast.expr]:
    by_place = arguments.posonlyargs + arguments.args
    with_default = by_place[len(by_place) - len(arguments.defaults) :]
    pairs = [
        *zip(with_default, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    yield from (d for arg, d in pairs if d is not None and arg.arg in _CARRIERS)


def _returned(function: _Function) -> Iterator[ast.expr]:
    kind = "" if function.returns is None else ast.unparse(function.returns)
    if kind not in _WITH_REASON and function.name != "code_of":
        return
    for node in ast.walk(function):
        if not isinstance(node, ast.Return) or node.value is None:
            continue
        if kind in _WITH_REASON and isinstance(node.value, ast.Tuple):
            yield node.value.elts[1]
        elif function.name == "code_of":
            yield node.value


def _codes(value: ast.expr) -> Iterator[str]:
    """The codes that an expression may come to, as far as it spells them out."""
    match value:
        case ast.Constant(value=str(text)) if _CODE.fullmatch(text):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _codes(one)
            yield from _codes(other)
        case ast.Call(func=ast.Attribute(attr="get"), args=[_, default]):
            yield from _codes(default)
        case ast.Tuple(elts=[first, *_]):
            yield from _codes(first)
        case ast.BoolOp(values=values) | ast.Dict(values=values):
            for each in values:
                yield from _codes(each)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
