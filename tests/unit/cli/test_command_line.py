"""The command line itself: help, exit codes, where each text goes."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from weighbridge.cli.crawl import again
from weighbridge.cli.main import cli, run
from weighbridge.cli.options.common import Options
from weighbridge.cli.process.failure import CommandFailed, failure_text, report
from weighbridge.cli.up import announcement, demo_announcement
from weighbridge.config import RegistrySettings, Settings
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import (
    AuthError,
    ConfigError,
    InvalidReference,
    NotFound,
    StoreError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.store.schema import REVISION

COMMANDS = ["inspect", "crawl", "top", "up", "config", "db"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a home of this test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_DATA_HOME", "WEIGHBRIDGE_CONFIG", "WEIGHBRIDGE_DATABASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0

    out = capsys.readouterr().out
    assert [name for name in COMMANDS if f"  {name} " in out] == COMMANDS


def test_help_loads_nothing_that_is_slow_to_import() -> None:
    slow = "httpx pydantic sqlalchemy rich yaml starlette structlog prometheus_client"
    program = (
        "import sys; from weighbridge.cli.main import run; run(['--help']); "
        f"print('loaded', set(sys.modules) & set('{slow}'.split()), file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stderr == "loaded set()\n"


def test_checking_the_configuration_loads_no_client_of_a_kind(folder: Path) -> None:
    """Of every kind of registry and channel the keys are known, and no more."""
    (folder / "weighbridge.yaml").write_text("{}")
    asks = "httpx weighbridge.net weighbridge.registry.client smtplib"
    asks += " weighbridge.registry.kinds.dockerhub.hub_registry weighbridge.notify.post"
    program = (
        "import sys; from weighbridge.cli.main import run; run(['config', 'check']); "
        f"print(*(set(sys.modules) & set('{asks}'.split())), file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )

    assert "fine" in done.stdout
    assert done.stderr == "\n"


@pytest.mark.slow
def test_reading_what_was_crawled_loads_nothing_that_asks_registries(
    folder: Path,
) -> None:
    crawl_job = "weighbridge.engine.crawl.registry.crawl_job"
    asks = f"httpx h11 {crawl_job} weighbridge.net rich structlog"
    asks += " weighbridge.registry.client weighbridge.notify.post"
    asks += " sqlalchemy.dialects.postgresql"  # nor what another database needs
    program = (
        "import sys; from weighbridge.cli.main import run; "
        "run(['top', '--database', 'w.db']); "
        f"print(*(set(sys.modules) & set('{asks}'.split())), file=sys.stderr)"
    )
    url = f"sqlite:///{folder}/w.db"
    assert run(["db", "upgrade", "--database", url]) == 0

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("nothing crawled yet: weighbridge crawl REGISTRY")
    assert done.stderr == "\n"


def test_a_stopped_crawl_goes_on_with_the_same_files_but_no_password() -> None:
    options = Options(config="w.yaml", database="sqlite:///w.db")
    secret = Options(database="postgresql+psycopg://w:c4nary@db.example/w")
    apart = Options(database="postgresql://db.example/w?user=w&password=c4nary")

    assert again(options, ["hub"]) == (
        "weighbridge crawl hub --config w.yaml --database sqlite:///w.db"
    )
    assert again(secret, []) == again(apart, []) == "weighbridge crawl"


@pytest.mark.parametrize(
    "command", ["top", "up --bind 127.0.0.1:0", "crawl 127.0.0.1:1"]
)
@pytest.mark.parametrize("password", ["SEC@RET", "SEC@RE/T", "S/E@C/RET", "SEC@R?ET"])
def test_no_part_of_a_database_password_is_told(
    command: str, password: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql://u:{password}@127.0.0.1:1/x"

    assert run([*command.split(), "--database", url]) == 2

    err = capsys.readouterr().err
    assert "[invalid_database_url]" in err
    assert "%40" in err
    assert not set(re.split("[@/?]", password)) & set(re.findall(r"\w+", err))
    assert password.rpartition("@")[2] not in err
    assert "serves" not in err


@pytest.mark.parametrize(
    "command",
    ["top", "db verify", "db recount", "db recount hub", "db forget hub --yes"],
)
def test_a_misspelt_database_is_refused_and_not_made(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command.split(), "--database", "no/wieghts.db"]) == 3

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "no/wieghts.db: there is no such database [no_database]\n"
        "  try    check the name; weighbridge crawl makes one\n"
    )
    assert list(folder.iterdir()) == []


def test_up_does_not_say_that_it_serves_before_it_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["up", "--bind", "127.0.0.1:0", "--database", "."]) == 3

    assert capsys.readouterr().err.splitlines() == [
        ".: it is a directory [cannot_open]",
        "  try    a file in it: weighbridge.db",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "top --database .",
            "it is a directory [cannot_open]\n  try    a file in it: ",
        ),
        (
            "inspect 169.254.169.254/x",
            "never reached [address_refused]\n  try    another address: ",
        ),
        ("crawl 169.254.169.254", "[address_refused]\n  try    another address: "),
    ],
)
def test_an_error_has_what_to_do(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments.split()) == 3

    assert said in capsys.readouterr().err


def leaves() -> list[list[str]]:
    """Every command that does something, as its words."""
    found: list[list[str]] = []
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            found += [[name, inner] for inner in command.commands]
        else:
            found.append([name])
    return found


@pytest.mark.parametrize("words", leaves(), ids=" ".join)
def test_every_commands_help_shows_an_example_and_the_options_that_it_obeys(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--help"]) == 0

    out = capsys.readouterr().out
    assert f"\n    weighbridge {' '.join(words)}" in out
    for option in ("--config", "--debug"):
        assert option in out
    sized = ("inspect", "compare", "check", "crawl", "top", "policy", "violations")
    has_sizes = words[0] in (*sized, "history", "bases", "costs", "reclaim")
    has_rows = has_sizes or words in (
        ["config", "show"],
        ["db", "recount"],
        ["db", "upgrade"],
        ["db", "verify"],
        ["doctor"],
        ["notify", "list"],
        ["notify", "status"],
        ["notify", "test"],
        ["queue"],
        ["registry", "check"],
        ["audit"],
        ["token", "create"],
        ["token", "rotate"],
        ["token", "list"],
        ["waive", "create"],
        ["waive", "list"],
    )
    assert ("--units" in out) is has_sizes
    assert ("-o, --output" in out) is has_rows
    without = (
        ["inspect"],
        ["health"],
        ["notify", "list"],
        ["notify", "test"],
        ["policy", "explain"],
        ["webhook", "url"],
    )
    assert ("--database" in out) is (words not in without)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("weighbridge 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["weigh"],
        ["inspect"],
        ["compare", "python"],
        ["compare", "python", "python", "--fresh", "--database", "w.db"],
        ["compare", "python", ":"],
        ["check"],
        ["check", "python"],
        ["check", "python", "--max-compressed", "500"],
        ["inspect", "python", "--tag", "x"],
        ["inspect", "python", "-o", "yaml"],
        ["inspect", "python", "--platform", "linux/arm64", "--all-platforms"],
        ["inspect", "Not A Reference"],
        ["inspect", "python", "--config", "nowhere.yaml"],
        ["top", "--limit", "0"],
        ["top", "--by", "colour"],
        ["crawl"],
        ["up", "--bind", "0.0.0.0:8080"],
        ["config", "check", "--database", ""],
        ["top", "--database", "mysql://db.example/w"],
        ["inspect", "python", "--database", "w.db"],
        ["up", "-o", "json"],
        ["inspect", "127.0.0.1:5000"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_is_told_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err != ""
    assert "Traceback" not in captured.err


def test_config_check_lists_every_fault(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "weighbridge.yaml").write_text("webb: {}\nlog_level: loud\n")

    assert run(["config", "check"]) == 2

    assert capsys.readouterr().err.splitlines() == [
        "weighbridge.yaml:1  webb              unknown key, did you mean web?",
        "weighbridge.yaml:2  log_level = loud  one of debug, info, warning, error",
        "2 errors",
    ]


def test_a_command_that_would_start_something_says_that_it_did_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "weighbridge.yaml").write_text("log_level: loud\n")

    assert run(["top"]) == 2

    assert capsys.readouterr().err.endswith("\n1 error, nothing was started\n")


def test_config_check_says_where_it_looked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["config", "check"]) == 0

    assert capsys.readouterr().out == (
        "there is no weighbridge.yaml and no /etc/weighbridge/weighbridge.yaml: "
        "the defaults hold\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspekt", "x"], "no command is called 'inspekt': did you mean inspect?"),
        (["config", "chek"], "no command is called 'chek': did you mean check?"),
        (["zzz"], "there are inspect, compare, check, crawl"),
        (["top", "--limit", "x"], "'x' is no number from 1 to 1000"),
        (["top", "--limit", "1001"], "'1001' is no number from 1 to 1000"),
        (["inspect", "127.0.0.1:5000"], "'127.0.0.1:5000' is a registry, not an"),
        (["inspect", "127.0.0.1:5000"], "  try    weighbridge crawl 127.0.0.1:5000"),
        (["inspect", "127.0.0.1:5000/App"], "  try    app\n"),
        (["crawl", "harbor"], "  configured  none\n  try    write an address"),
        (["crawl", "127.0.0.1:1/Shop/Api"], "  try    127.0.0.1:1/shop/api\n"),
    ],
)
def test_a_slip_is_told_with_what_may_be_meant(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2

    assert words in capsys.readouterr().err


def start(arguments: str, redirected: str) -> subprocess.CompletedProcess[str]:
    """One command line of a shell with `pipefail`."""
    program = f"{sys.executable} -m weighbridge {arguments} {redirected}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["--help", "config check"])
@pytest.mark.parametrize(
    ("redirected", "said"),
    [
        ("| :", ""),
        (
            ">/dev/full",
            "the result cannot be written: No space left on device [cannot_write]\n"
            "  try    write it to a place that has room and takes it\n",
        ),
        (">/dev/full 2>/dev/full", ""),
        (">&-", ""),
        ("<&- >&- 2>&-", ""),
    ],
)
def test_a_result_that_nobody_takes_is_no_fault_of_ours(
    arguments: str, redirected: str, said: str
) -> None:
    done = start(arguments, redirected)

    assert (done.returncode, done.stderr) == (3, said)


def test_config_check_says_what_is_fine(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "weighbridge.yaml").write_text(
        "registries: [{name: hub, url: 'https://hub.example'}]\n"
    )

    assert run(["config", "check"]) == 0

    assert capsys.readouterr().out == (
        "weighbridge.yaml: fine, 1 registry\n"
        "hub: its kind is found when it is asked: weighbridge registry check hub\n"
    )


def test_a_fresh_database_is_upgraded_and_empty(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{folder}/new.db"

    assert run(["db", "upgrade", "--database", url]) == 0
    assert capsys.readouterr().out == f"the database has schema {REVISION}\n"
    assert run(["top", "--database", url, "-o", "json"]) == 0
    assert capsys.readouterr().out == '{\n  "items": []\n}\n'


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidReference("x"), 2),
        (ConfigError("x"), 2),
        (StoreError("x", code="schema_version"), 2),
        (StoreError("x", code="invalid_database_url"), 2),
        (StoreError("x", code="disk_full"), 3),
        (NotFound("x"), 3),
        (TransportError("x"), 3),
        (CommandFailed(AuthError("x"), subject="cannot weigh y"), 3),
        (CommandFailed(ConfigError("x"), ending="nothing was started"), 2),
        (ZeroDivisionError("x"), 3),
    ],
)
def test_the_exit_code_says_whose_fault_it_was(error: Exception, code: int) -> None:
    assert report(error) == code


def test_an_error_has_its_cause_first_and_then_what_to_try() -> None:
    error = AuthError("401 unauthorized", hint="docker login harbor.example")

    text = failure_text(CommandFailed(error, subject="cannot weigh harbor.example/a"))

    assert text == (
        "cannot weigh harbor.example/a: 401 unauthorized [auth_error]\n"
        "  try    docker login harbor.example"
    )


def test_a_hint_may_bring_its_own_word() -> None:
    error = NotFound("there is no such tag", hint="nearest  3.7, 3.8")

    assert failure_text(CommandFailed(error)).splitlines()[1] == "  nearest  3.7, 3.8"


def test_what_a_registry_says_is_made_printable() -> None:
    error = WeighbridgeError("\x1b[2Jgone", hint="\x1b]0;x\x07")

    assert "\x1b" not in failure_text(CommandFailed(error, subject="\x1b"))


def test_a_fault_of_ours_is_one_line_without_what_it_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report(RuntimeError("c4nary"))

    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "--debug" in err
    assert "c4nary" not in err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", "--config", "nowhere.yaml", "--debug"]) == 2

    assert "Traceback" in capsys.readouterr().err


def test_up_says_what_it_keeps_and_crawls() -> None:
    hub = RegistrySettings(name="hub", url="https://hub.example", interval=5400)
    near = RegistrySettings(name="near", url="http://near.example", plain_http=True)
    settings = Settings(
        database_url=Secret("postgresql+psycopg://w:c4nary@db.example/w?sslkey=c4nary"),
        registries=(hub, near),
    )

    assert announcement(settings) == [
        "keeps   postgresql+psycopg://<redacted>@db.example/w",
        "crawls  hub  https://hub.example  every 1 h 30 min",
        "crawls  near  http://near.example  every 1 h",
        "warning: near is reached without encryption",
    ]


def test_up_without_registries_names_the_next_step() -> None:
    settings = Settings(database_url=Secret("sqlite:///w.db"))

    assert "--demo" in announcement(settings)[-1]
    assert demo_announcement(None) == [
        "keeps   nothing after it stops",
        "crawls  a demo registry inside this process: its images are examples",
    ]
