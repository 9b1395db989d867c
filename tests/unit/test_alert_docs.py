"""Every alert is explained, and the pages name nothing that does not exist."""

import re
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from weighbridge.cli.main import cli

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RULES: Final = yaml.safe_load(
    (PROMETHEUS / "weighbridge.alerts.yml").read_text(encoding="utf-8")
)
ALERTS: Final = [rule for group in RULES["groups"] for rule in group["rules"]]
NAMES: Final = sorted({rule["alert"] for rule in ALERTS})
SECTIONS: Final = ["What it means", "Why it fires", "What to do"]
UNITS: Final = {"m": "minute", "h": "hour", "d": "day"}
LATER: Final = frozenset({"weighbridge_repository_reference_image_compressed_bytes"})
"""Rules and their tests are there; the series are not yet."""
METRIC: Final = re.compile(r"\bweighbridge_[a-z_]+\b")


def test_every_alert_has_its_heading_and_its_row() -> None:
    text = (DOCS / "alerts.md").read_text(encoding="utf-8")

    headings = re.findall(r"^### (\S+)$", text, re.MULTILINE)
    rows = re.findall(r"^\| \[`(\w+)`\]", text, re.MULTILINE)

    assert sorted(headings) == NAMES
    assert sorted(rows) == NAMES


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_the_row_of_an_alert_says_how_long_and_how_grave(
    rule: dict[str, object],
) -> None:
    text = (DOCS / "alerts.md").read_text(encoding="utf-8")

    (row,) = re.findall(rf"^\| \[`{rule['alert']}`\].*$", text, re.MULTILINE)

    labels = rule["labels"]
    assert isinstance(labels, dict)
    assert f"| {_in_words(rule.get('for'))} | {labels['severity']} |" in row


def _in_words(duration: object) -> str:
    if duration is None:
        return "at once"
    number, unit = str(duration)[:-1], UNITS[str(duration)[-1]]
    return f"{number} {unit}{'' if number == '1' else 's'}"


def test_rules_are_made_of_metrics_that_are_exported() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    exported = set(re.findall(r"^\| `(weighbridge_\w+)` \|", page, re.MULTILINE))
    recorded = yaml.safe_load((PROMETHEUS / "weighbridge.rules.yml").read_text("utf-8"))
    rules = [rule for group in recorded["groups"] for rule in group["rules"]]

    expressions = "\n".join(str(rule["expr"]) for rule in [*rules, *ALERTS])

    series = re.sub(r"registry(_repository)?:[\w:]+", "", expressions)
    named = {re.sub(r"_(bucket|count)$", "", name) for name in METRIC.findall(series)}
    assert len(named) > 25
    assert named - exported == LATER


def test_every_alert_has_a_runbook_and_no_runbook_is_of_nothing() -> None:
    pages = sorted(path.stem for path in (DOCS / "runbooks").glob("*.md"))

    assert pages == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_says_what_why_and_what_to_do(name: str) -> None:
    text = (DOCS / "runbooks" / f"{name}.md").read_text(encoding="utf-8")

    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_names_commands_that_exist(name: str) -> None:
    text = (DOCS / "runbooks" / f"{name}.md").read_text(encoding="utf-8")

    lines = re.findall(r"^\s+(weighbridge .*)$", text, re.MULTILINE)

    assert lines
    for line in lines:
        assert _is_command(line.split()[1:]), line


def _is_command(words: list[str]) -> bool:
    """Whether the words lead to a command, and its options are options of it."""
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    if isinstance(command, click.Group):
        words = words[1:]
        command = command.get_command(context, words[0])
    if command is None:
        return False
    known = {spelling for each in command.params for spelling in each.opts}
    return {word for word in words if word.startswith("--")} <= known
