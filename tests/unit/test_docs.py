"""The pages of docs/ say what the code does: nothing less, and nothing more."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import click
import pytest
import yaml
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from starlette.testclient import TestClient

from support.database import a_database
from support.error_codes import codes_in, texts_in
from support.google_replica.state import key_file
from support.inventory import text_of
from support.known_bases import a_fleet_on_bases
from support.many_repositories import add_repositories
from support.metric_catalogue import metric_catalogue
from support.policies import a_policy
from support.read_model import NOW
from support.violations import Violations
from support.web_app import create_app
from weighbridge.bootstrap.distributed.service import (
    WorkerCollector,
    WorkerReport,
)
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.cli.main import cli
from weighbridge.config import load_settings
from weighbridge.domain.policy.policy import DEFAULT_POLICIES, PolicySet
from weighbridge.domain.registry.rate_limit import Probe, RateLimit
from weighbridge.domain.report.inventory import RegistryState, RepositoryState
from weighbridge.domain.series_budget import (
    CORE_SERIES,
    EXPORTER_SERIES,
    REGISTRY_SERIES,
    Budget,
    Family,
    ladder,
)
from weighbridge.jobs.redis.worker_register import QueueLength
from weighbridge.ports.job_names import CRAWL
from weighbridge.store.read_model.base_summaries import refresh_base_summaries
from weighbridge.store.registries.registry_rows import note_registry
from weighbridge.telemetry import Telemetry
from weighbridge.web.metrics.families import limit_families
from weighbridge.web.metrics.reclaimable import Reclaimable
from weighbridge.web.options import WebOptions

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
SOURCE: Final = ROOT / "service" / "weighbridge"
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)
BUDGET: Final = Budget(families=FAMILIES)
POLICIES: Final = PolicySet(
    [
        a_policy(
            "all",
            team="shop",
            max_compressed=1,
            max_uncompressed=1,
            max_growth=0.1,
            min_growth=1,
        )
    ]
)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its level."""
    level = heading.partition(" ")[0]
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"no heading {heading!r}"
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> dict[str, list[str]]:
    """The cells of every table row whose first cell is one name in backticks."""
    lines = re.findall(r"^\| `([^`|]+)` \| (.*) \|$", text, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in lines}


# Metrics


async def a_failed_probe(name: str) -> Probe:
    """One that has all there is to tell."""
    return Probe(
        probed_at=NOW,
        failure="unauthorized",
        seconds=0.1,
        is_encrypted=True,
        signs_in=True,
        requests={"ping": 2, "token": 1},
        bytes_read=3,
        rate_limit=RateLimit(100, 76, 21_600, NOW),
        certified_until=NOW,
    )


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All endpoints as a scrape sees them, with a registry and a repository."""
    telemetry = Telemetry(CollectorRegistry())
    telemetry.begin_registry("hub")
    crew = WorkerCollector(telemetry)
    crew.show(
        WorkerReport(
            2,
            {"crawl": QueueLength(1, NOW.timestamp())},
            {
                ("taken", CRAWL, ""): 3,
                ("failed", CRAWL, ""): 1,
                ("dropped", CRAWL, "unknown_registry"): 1,
            },
        )
    )
    telemetry.task_duration.labels(CRAWL)
    telemetry.crawl_repositories_waiting.labels("hub", "due")
    telemetry.base_repositories.labels("read")
    with a_database(tmp_path_factory.mktemp("docs")) as database:
        ids = add_repositories(database, ["team/api"])
        Violations(database, NOW).open(ids["team/api"])
        fleet = a_fleet_on_bases(database)
        fleet.base("slim", "library/python:3.7-slim")
        refresh_base_summaries(database, fleet.now)
        with database.write() as connection:
            note_registry(connection, 1, state="ok", reason="", now=NOW)
        options = WebOptions(
            budget=BUDGET, policies=lambda: POLICIES, prober=a_failed_probe
        )
        app = create_app(database, telemetry, options, now=lambda: NOW)
        client = TestClient(app, base_url="http://127.0.0.1:8080")
        paths = ("/metrics", "/metrics/repositories", "/probe?target=hub")
        counted = Reclaimable({("hub", "team/api"): 7}, {"hub": 7})
        beside = text_of(database, reclaimable=counted).splitlines(keepends=True)
        scraped = "".join(client.get(path).text for path in paths)
        # What a thread counts once somebody has scraped.
        return scraped + "".join(line for line in beside if "_reclaimable_" in line)


def types_of(exposed: str) -> dict[str, str]:
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", exposed, re.MULTILINE))


def test_every_metric_has_its_row_and_no_row_is_invented(exposed: str) -> None:
    documented = {n for n in rows(page("metrics.md")) if n.startswith("weighbridge_")}

    exported = types_of(exposed).keys()

    assert len(exported) > 35
    assert documented == exported


def test_every_metric_is_of_the_type_that_its_row_says(exposed: str) -> None:
    table = rows(page("metrics.md"))

    types = types_of(exposed)

    assert {name: table[name][0] for name in types} == types


def test_every_metric_has_the_labels_that_its_row_says(exposed: str) -> None:
    table = rows(page("metrics.md"))
    samples = re.findall(r"^(weighbridge_\w+)(?:\{(.*)\})? \S+$", exposed, re.MULTILINE)

    checked_names = set()
    for name, labels in samples:
        if name not in table:
            continue  # the parts of a histogram
        names = re.findall(r'(\w+)="', labels)
        expected = [] if table[name][1] == "none" else table[name][1].split(", ")
        assert sorted(expected) == sorted(names), name
        checked_names.add(name)
    assert len(checked_names) > 25


def test_every_label_has_its_row_and_no_row_is_invented() -> None:
    table = section(page("metrics.md"), "## Names and labels").partition("| label |")[2]

    listed = {
        label
        for line in table.splitlines()[2:]
        for label in re.findall(r"`(\w+)`", line.split(" | ")[0])
    }

    used = {label for m in metric_catalogue().values() for label in m.labels}
    assert listed == used - {"le", "alertname", "alertstate"}


def test_no_page_names_a_metric_that_does_not_exist(exposed: str) -> None:
    types = types_of(exposed)
    parts = {f"{name}_{part}" for name in types for part in ("bucket", "count", "sum")}

    for path in markdown_files():
        text = path.read_text(encoding="utf-8")
        # A prefix such as `weighbridge_repository_*` names no single metric.
        named = set(re.findall(r"\bweighbridge_[a-z_]*[a-z](?![\w*])", text))

        invented = named - types.keys() - parts - {"weighbridge_workers"}  # a package

        assert not invented, path


def test_the_budget_is_what_the_page_says() -> None:
    said = section(page("metrics.md"), "## The series budget")
    core, all_of = 2_497, 1_664
    limits = len(limit_families(DEFAULT_POLICIES))

    def level(count: int, families: tuple[Family, ...] = ()) -> int:
        return ladder(Budget(families=families), 1, count, limits=limits).level

    assert f"{Budget().max_series:,} by" in said
    assert f"{EXPORTER_SERIES} series are reserved" in said
    assert f"and {REGISTRY_SERIES} for each registry" in said
    assert f"up to {CORE_SERIES} series each" in said
    assert f"up to {core:,} repositories" in said
    assert f"optional families up to {all_of:,}" in said
    assert [level(core), level(core + 1)] == [3, 1]
    assert [level(all_of, FAMILIES), level(all_of + 1, FAMILIES)] == [3, 2]
    assert [level(core, FAMILIES), level(core + 1, FAMILIES)] == [2, 1]
    step = ladder(Budget(), 1, core + 1, limits=limits)
    assert f"{step.enter:,} are shown" in said
    for kinds in (0, 4):
        most = ladder(Budget(), 1, 1, limits=kinds).most
        assert re.search(rf"\b{most:,}\b repositories|for {most:,}\.", said)


def test_the_optional_families_are_those_that_the_page_lists() -> None:
    said = section(page("metrics.md"), "## The series budget")

    assert f"# {', '.join(FAMILIES)}" in said
    for family in FAMILIES:
        assert f"without the family `{family}`" in page("metrics.md")


# Error codes


def headings() -> list[str]:
    return re.findall(r"^### (\S+)$", page("troubleshooting.md"), re.MULTILINE)


def test_every_error_code_has_its_heading() -> None:
    codes = codes_in(SOURCE)

    assert len(codes) > 100
    assert codes <= set(headings())


def test_no_heading_is_of_a_code_that_does_not_exist() -> None:
    texts = texts_in(SOURCE)

    assert [code for code in headings() if code not in texts] == []


def test_every_code_is_explained_once() -> None:
    text = page("troubleshooting.md")

    assert len(set(headings())) == len(headings())
    for code in headings():
        _, _, below = text.partition(f"\n### {code}\n")
        paragraph = re.split(r"^#", below, maxsplit=1, flags=re.MULTILINE)[0]
        assert len(paragraph.split()) >= 5, code


@pytest.mark.parametrize(
    ("heading", "states"),
    [
        ("## States of a repository", get_args(RepositoryState)),
        ("## States of a registry", get_args(RegistryState)),
    ],
)
def test_every_state_is_explained(heading: str, states: tuple[str, ...]) -> None:
    table = rows(section(page("troubleshooting.md"), heading))

    assert sorted(table) == sorted(states)


# Configuration


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """`registries[].limits.concurrency` and so on, tables themselves included."""
    for name, field in model.model_fields.items():
        inner, many = _model_in(field.annotation)
        key = f"{prefix}{field.alias or name}"
        yield key
        if inner is not None:
            yield from keys_of(inner, f"{key}[]." if many else f"{key}.")


def _model_in(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for argument in get_args(annotation):
        inner, many = _model_in(argument)
        if inner is not None:
            return inner, many or Ellipsis in get_args(annotation)
    return None, False


def test_every_key_has_its_row_and_no_row_is_invented() -> None:
    table = rows(section(page("configuration.md"), "## Every key"))

    keys = list(keys_of(KINDS.written))

    assert "registries[].limits.concurrency" in keys
    assert sorted(table) == sorted(keys)


def test_the_whole_file_shows_every_key() -> None:
    example = blocks(page("configuration.md"), "yaml")[0]

    for key in keys_of(KINDS.written):
        name = key.rpartition(".")[2]
        assert re.search(rf"^[ #-]*{name}:", example, re.MULTILINE), key


def test_the_whole_file_loads(tmp_path: Path) -> None:
    example = blocks(page("configuration.md"), "yaml")[0]
    file = tmp_path / "weighbridge.yaml"
    file.write_text(example, encoding="utf-8")
    (tmp_path / "policies.d").mkdir()
    for name in _files_named(yaml.safe_load(example)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("canary-of-a-secret\n", encoding="utf-8")
    key_file(tmp_path / "secrets/google")

    settings = load_settings(str(file), {}, KINDS)

    assert [registry.name for registry in settings.registries] == [
        "harbor",
        "builds",
        "hub",
        "cloud",
        "github",
        "lab",
        "google",
        "quay",
        "local",
    ]
    auth = settings.registries[0].auth
    assert auth is not None
    assert auth.password_file == tmp_path / "secrets/harbor-password"


def _files_named(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _files_named(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _files_named(inner)
    elif isinstance(value, str) and (key.endswith("_file") or key == "docker_config"):
        yield value


def test_every_variable_has_its_row_and_no_variable_is_invented() -> None:
    variable = re.compile(r"WEIGHBRIDGE_[A-Z_]+")
    text = page("configuration.md")

    read = {text for text in texts_in(SOURCE) if variable.fullmatch(text)}

    assert "WEIGHBRIDGE_BIND" in read
    assert {n for n in rows(text) if variable.fullmatch(n)} == read
    assert set(variable.findall(text)) == read


# Commands


def commands() -> dict[str, click.Command]:
    """Every command that does something, by its full name."""
    context = click.Context(cli)
    found: dict[str, click.Command] = {}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            inner = command.commands.items()
            found |= {f"weighbridge {name} {sub}": made for sub, made in inner}
        else:
            found[f"weighbridge {name}"] = command
    return found


def options_of(command: click.Command) -> set[str]:
    return {
        spelling
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    }


def test_every_command_has_its_section_and_no_section_is_invented() -> None:
    sections = re.findall(r"^## (weighbridge .*)$", page("commands.md"), re.MULTILINE)

    assert sorted(sections) == sorted(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_of_a_command_is_explained(name: str) -> None:
    text = page("commands.md")
    shared = section(text, "## Options of every command")

    own = section(text, f"## {name}")
    if "[options of an address]" in own:
        own += section(text, "## Options of an address")

    options = options_of(commands()[name])
    explained = {
        spelling
        for line in re.findall(r"^\| `-.*$", own + shared, re.MULTILINE)
        if _is_of(line, name.removeprefix("weighbridge "))
        for spelling in re.findall(r"`(--?[a-z-]+)", line.split(" | ")[0])
    }
    assert len(options) > 2
    assert options <= explained
    assert explained <= options | {"-h", "--help"}


def _is_of(line: str, command: str) -> bool:
    """Whether a row of options is about this command: a middle cell names those that
    have the option, or those that have it not."""
    cells = line.strip("| ").split(" | ")
    if len(cells) < 3:
        return True
    return (f"`{command}`" in cells[1]) is not cells[1].startswith("all but")


def test_no_page_names_an_option_that_does_not_exist() -> None:
    known = {"--help", "--version"}.union(*map(options_of, commands().values()))

    for name in ("commands.md", "configuration.md", "troubleshooting.md"):
        # What a Dockerfile says has options of its own.
        text = re.sub(r"\bRUN .*|\binstall --.*", "", page(name))
        named = re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)

        assert named
        assert set(named) <= known, name


# Links


def markdown_files() -> list[Path]:
    """Every page of the repository; folders of tools are left out."""
    found: list[Path] = []
    for folder, inner, names in os.walk(ROOT):
        inner[:] = [n for n in inner if not n.startswith(".") and n != "node_modules"]
        found += [Path(folder, name) for name in names if name.endswith(".md")]
    return sorted(found)


def links_in(path: Path) -> list[str]:
    """The targets of relative links, without those in code."""
    text = re.sub(
        r"^```.*?^```$|`[^`\n]*`",
        "",
        path.read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
    targets = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)
    return [t for t in targets if not re.match(r"[a-z][a-z+.-]*:", t)]


def anchors_of(path: Path) -> set[str]:
    """The anchors that forges give to headings."""
    text = re.sub(
        r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_relative_link_leads_somewhere() -> None:
    files = markdown_files()

    broken = [
        (str(path.relative_to(ROOT)), target)
        for path in files
        for target in links_in(path)
        if not _exists(path, target)
    ]

    assert sum(len(links_in(path)) for path in files) > 20
    assert broken == []


def _exists(path: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    found = path.parent / name if name else path
    if not found.exists():
        return False
    return not anchor or found.suffix != ".md" or anchor in anchors_of(found)
