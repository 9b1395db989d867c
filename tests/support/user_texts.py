"""Every text that a user reads, with the place where it stands."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import click
import yaml
from starlette.testclient import TestClient

from support.database import a_database
from support.web_app import create_app
from weighbridge.cli.main import cli
from weighbridge.telemetry import Telemetry
from weighbridge.web.options import WebOptions

Text: TypeAlias = tuple[str, str]
"""The place and the text."""

_ROOT: Final = Path(__file__).parents[2]
_INTERNAL: Final = frozenset({"architecture.md", "benchmarks.md", "development.md"})
"""Pages for those who change the program."""
_SHOWN: Final = frozenset({"title", "summary", "description", "noValue", "label"})
_CODE: Final = re.compile(
    r"^ *```.*?^ *```|^    \S.*?$|`[^`]*`", re.MULTILINE | re.DOTALL
)
_MARKUP: Final = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_DEFINED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def pages() -> Iterator[Text]:
    """The user's pages of the docs, without code."""
    docs = _ROOT / "docs"
    files = [_ROOT / "README.md", _ROOT / "CHANGELOG.md", *docs.glob("*.md")]
    for path in [*files, *docs.glob("deploying/*.md"), *docs.glob("runbooks/*.md")]:
        if path.name not in _INTERNAL:
            text = _CODE.sub("CODE", path.read_text(encoding="utf-8"))
            for block in re.split(r"\n\s*\n|\n(?=\||- )", text):
                yield str(path.relative_to(_ROOT)), " ".join(block.split())


def helps(
    command: click.Command = cli,
    name: str = "weighbridge",
    parent: click.Context | None = None,
) -> Iterator[Text]:
    """The help of a command and of all below it."""
    context = click.Context(command, info_name=name, parent=parent)
    yield context.command_path, " ".join(command.get_help(context).split())
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from helps(found, below, context)


def messages() -> Iterator[Text]:
    """Literal texts of more than one word in our programs: messages, hints, metric
    helps, events of the log. Docstrings are none of them."""
    for path in [*_below("service", "*.py"), *_below("workers", "*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        silent = set(_documentation(tree))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and " " in node.value
                and node not in silent
            ):
                yield f"{path.relative_to(_ROOT)}:{node.lineno}", node.value


def templates() -> Iterator[Text]:
    """The templates of pages and messages, without their statements."""
    for path in _below("service", "templates/*"):
        if path.is_file():
            text = _MARKUP.sub(" ", path.read_text(encoding="utf-8"))
            yield str(path.relative_to(_ROOT)), " ".join(text.split())


def alerts() -> Iterator[Text]:
    """The annotations of alerts."""
    path = _ROOT / "deploy" / "prometheus" / "weighbridge.alerts.yml"
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            for annotation in ("summary", "description"):
                yield rule["alert"], rule["annotations"][annotation]


def dashboards() -> Iterator[Text]:
    """Titles, descriptions and other words of the dashboards."""
    for path in (_ROOT / "deploy" / "grafana" / "dashboards").rglob("*.json"):
        for text in _words(json.loads(path.read_text(encoding="utf-8"))):
            yield path.name, text


def interface() -> Iterator[Text]:
    """What the API's document says of routes, parameters and fields."""
    with TemporaryDirectory() as folder, a_database(Path(folder)) as database:
        app = create_app(database, Telemetry(), WebOptions())
        client = TestClient(app, base_url="http://127.0.0.1:8080")
        document = client.get("/api/v1/openapi.json").json()
    for text in _words(document, _SHOWN - {"title"}):  # made of the fields' names
        yield "openapi.json", " ".join(text.split())


def _words(value: object, shown: frozenset[str] = _SHOWN) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            if key in shown and isinstance(below, str):
                yield below
            yield from _words(below, shown)
    elif isinstance(value, list):
        for below in value:
            yield from _words(below, shown)


def _below(folder: str, pattern: str) -> list[Path]:
    return sorted((_ROOT / folder).rglob(pattern))


def _documentation(tree: ast.AST) -> Iterator[ast.Constant]:
    """Texts that stand alone as a statement."""
    for node in ast.walk(tree):
        if isinstance(node, _DEFINED):
            for statement in node.body:
                if isinstance(statement, ast.Expr) and isinstance(
                    statement.value, ast.Constant
                ):
                    yield statement.value
