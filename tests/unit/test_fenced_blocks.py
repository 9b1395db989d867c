"""What the pages of docs/ show in fences is right: no block is without a test.

`tests/e2e/test_printed_examples.py` runs the commands and asks the API.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
import yaml

from support.alert_rules import run
from support.metric_catalogue import metric_catalogue
from support.page_examples import PAGES, Block, blocks_for, blocks_of
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.cli.main import cli
from weighbridge.config import load_settings
from weighbridge.errors import ConfigError

_METRIC: Final = re.compile(r"\bweighbridge_[a-z_]+")
_LABELS: Final = re.compile(r"\b(?:by|on|without|group_left) \(([a-z_, ]*)\)")


def name(block: Block) -> str:
    return block.name


@pytest.mark.parametrize("page", PAGES)
def test_a_test_runs_every_block_of_a_page(page: str) -> None:
    found = blocks_of(page)

    assert found
    assert [block.name for block in found if block.runner is None] == []


# Configurations


def needs(text: str, folder: Path) -> str:
    """A configuration with the files that it names made in the folder."""
    text = text.replace("/run/secrets/", "secrets/")
    for file in re.findall(r"\b(?:\w+_file): ([\w./-]+)", text):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        secret = "postgresql://weighbridge:x@db.example/weighbridge"
        (folder / file).write_text(secret, encoding="utf-8")
    return text


def configurations() -> list[Block]:
    """Blocks of yaml that are read by us; the whole file has a test of its own."""
    return [
        block
        for block in blocks_for("yaml")
        if "scrape_configs:" not in block.text and block.heading != "The whole file"
    ]


@pytest.mark.parametrize("block", configurations(), ids=name)
def test_a_configuration_is_accepted(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "weighbridge.yaml"
    text = needs(block.text, tmp_path)
    named = re.match(r"# (policies\.d/\S+)\n", text)
    if named is not None:
        (tmp_path / named[1]).parent.mkdir()
        (tmp_path / named[1]).write_text(text, encoding="utf-8")
        text = "policy_files: ['policies.d/*.yaml']"
    file.write_text(text, encoding="utf-8")

    if block.heading == "weighbridge config check":
        # The one with faults, which the command prints below it.
        with pytest.raises(ConfigError):
            load_settings(str(file), {}, KINDS)
        return
    settings = load_settings(str(file), {}, KINDS)

    written = settings.model_fields_set
    keys = yaml.safe_load(text).keys()
    assert keys <= {*written, *(f"{key}_file" for key in written)}


# Prometheus


def test_prometheus_accepts_the_scrape_jobs(tmp_path: Path) -> None:
    jobs = [b for b in blocks_for("yaml") if "scrape_configs:" in b.text]

    assert len(jobs) >= 2
    for number, block in enumerate(jobs):
        (tmp_path / f"{number}.yml").write_text(block.text, encoding="utf-8")
    said = run(
        "promtool",
        "check",
        "config",
        "--syntax-only",
        *(f"{n}.yml" for n in range(len(jobs))),
        folder=tmp_path,
    )

    assert said.returncode == 0, said.stderr


def test_prometheus_accepts_the_queries(tmp_path: Path) -> None:
    queries = [block.text for block in blocks_for("promql")]
    rules = [{"record": f"r{n}", "expr": text} for n, text in enumerate(queries)]
    file = tmp_path / "rules.yml"
    groups = {"groups": [{"name": "page", "rules": rules}]}
    file.write_text(yaml.safe_dump(groups), encoding="utf-8")

    said = run("promtool", "check", "rules", file.name, folder=tmp_path)

    assert len(queries) >= 9
    assert said.returncode == 0, said.stderr
    assert f"{len(queries)} rules found" in said.stdout


@pytest.mark.parametrize("block", blocks_for("promql"), ids=name)
def test_a_query_is_of_metrics_and_labels_that_exist(block: Block) -> None:
    catalogue = metric_catalogue()

    metrics = _METRIC.findall(block.text)
    labels = {
        label.strip()
        for listed in _LABELS.findall(block.text)
        for label in listed.split(",")
    } - {""}

    assert metrics
    assert set(metrics) <= catalogue.keys()
    for metric in metrics:
        assert labels <= catalogue[metric].labels, metric


# Lines that a reader types


def commands_in(block: Block) -> Iterator[list[str]]:
    """The words of each call of ours, without the prompt."""
    text = block.text.replace("\\\n", " ")
    for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
        _, found, rest = line.partition("weighbridge ")
        if found:
            yield shlex.split(rest.partition(" > ")[0])


@pytest.mark.parametrize("block", blocks_for("usage"), ids=name)
def test_a_usage_has_the_name_and_the_options_of_its_command(block: Block) -> None:
    for words in commands_in(block):
        # `--help` is looked at once all words are understood.
        cli.main([*words, "--help"], prog_name="weighbridge", standalone_mode=False)
    if block.text.startswith("$ "):
        return
    title = block.heading if block.heading in block.text else "weighbridge"

    command = command_named(title.removeprefix("weighbridge").split())
    known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    assert block.text.startswith(title)
    assert set(re.findall(r"(?<!\S)\[?(--?[a-z][a-z-]*)", block.text)) <= {
        *known,
        "-h",
        "--help",
    }


def command_named(words: list[str]) -> click.Command:
    context = click.Context(cli)
    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None, word
        command = found
    return command
