"""`check` where a runner reads along: log, annotations, summary, reports."""

import json
import os
from pathlib import Path

import pytest

from support.checks import HOSTILE, MB, a_check, an_image_of, grown_by_torch
from weighbridge.cli.actions.check_forms import Forms
from weighbridge.cli.main import run
from weighbridge.cli.process.failure import CommandFailed
from weighbridge.errors import RegistryError, UsageError, WeighbridgeError
from weighbridge.presentation.check.csv_json_markdown import check_markdown
from weighbridge.presentation.forms.screen import Output, Screen


def forms(output: Output, *reports: str, dockerfile: str | None = None) -> Forms:
    return Forms(output, Screen(), reports, dockerfile)


def test_the_summary_is_appended_and_is_the_markdown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("what a step before said\n")
    check = grown_by_torch()

    forms("github").show(check, 1, {"GITHUB_STEP_SUMMARY": str(summary)})

    lines = capsys.readouterr().out.splitlines()
    assert (
        summary.read_text() == f"what a step before said\n{check_markdown(check)}\n\n"
    )
    assert lines[0].startswith("FAIL ")
    assert [line[:9] for line in lines if line.startswith("::")] == ["::error t"] * 2


def test_a_summary_that_cannot_be_written_is_a_warning_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forms("github").show(grown_by_torch(), 1, {"GITHUB_STEP_SUMMARY": str(tmp_path)})

    assert "warning: the summary cannot be written: Is a directory" in (
        capsys.readouterr().err
    )


def test_reports_are_written_in_the_form_of_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / f"check.{suffix}") for suffix in ("json", "md", "csv")]

    forms("table", *names).show(grown_by_torch(), 1, {})

    whole, markdown, table = (Path(name).read_text() for name in names)
    assert json.loads(whole)["exit_code"] == 1
    assert markdown.startswith("<!-- weighbridge check -->")
    assert table.startswith("limit,outcome,platform,")


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeighbridgeError) as caught:
        forms("table", str(tmp_path / "no" / "x.md")).show(grown_by_torch(), 1, {})

    assert caught.value.code == "cannot_write"


def test_a_report_of_no_known_form_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(UsageError) as caught:
        forms("table", "check.txt")

    assert caught.value.code == "invalid_report"


@pytest.mark.parametrize("output", ["table", "json", "csv", "markdown", "github"])
@pytest.mark.parametrize("line", HOSTILE)
def test_nothing_that_is_printed_holds_an_old_command(
    output: Output, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check = a_check(
        an_image_of(1, 90, lines=("ADD /", line)), policy=line, max_compressed=MB
    )

    forms(output).show(check, 1, {})

    out = capsys.readouterr().out
    ours = 1 if output == "github" else 0
    assert "##[" not in out
    assert sum(part.lstrip().startswith("::") for part in out.splitlines()) == ours


@pytest.mark.parametrize("line", HOSTILE)
def test_json_says_a_strangers_line_as_it_is(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check = a_check(an_image_of(1, 90, lines=("ADD /", line)), max_compressed=MB)

    forms("json").show(check, 1, {})

    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert image["heaviest"][0]["instruction"] == line


def test_an_error_is_an_annotation_in_a_workflow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = RegistryError(
        "no\n::add-mask::x ##[add-mask]y", code="denied", hint="try z"
    )

    told = forms("github").printed(CommandFailed(error, subject="cannot weigh a"))

    assert told.cause is error
    assert capsys.readouterr().out.splitlines() == [
        "::error title=weighbridge check::cannot weigh a: no%0A"
        "::add-mask::x ## [add-mask]y%0A  try    z"
    ]


def test_an_annotation_stands_beside_the_line_that_is_to_blame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM x\nRUN pip install --no-cache-dir \\\n torch==1.13.1\n")

    forms("github", dockerfile=str(file)).show(grown_by_torch(), 1, {})

    assert f",file={file},line=2::" in capsys.readouterr().out


def test_a_dockerfile_that_is_not_there_is_a_warning_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = str(tmp_path / "Dockerfile")

    forms("github", dockerfile=name).show(grown_by_torch(), 1, {})

    captured = capsys.readouterr()
    assert f"warning: {name} cannot be read: No such file or directory" in captured.err
    assert "::error title=" in captured.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--policy", "a.yaml", "--server", "http://127.0.0.1:1"],
            "exclude each other",
        ),
        (["--token-file", "t"], "say something of --server"),
        (["--server", "ftp://x", "--max-layers", "9"], "no address of a Weighbridge"),
        (["--server", "https://u:p@x", "--max-layers", "9"], "no address of a"),
        (["--max-compressed", "1MB", "--min-growth", "1MB"], "alone sets no limit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_says_two_things_at_once_is_wrong_usage(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)

    assert run(["check", "127.0.0.1:1/a", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "u:p" not in err


def test_a_dockerfile_that_is_a_pipe_is_refused_before_anything_is_asked(
    tmp_path: Path,
) -> None:
    pipe = tmp_path / "Dockerfile"
    os.mkfifo(pipe)

    with pytest.raises(UsageError, match="is not a regular file"):
        forms("github", dockerfile=str(pipe))
