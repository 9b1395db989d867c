"""Prints a check in the form that was asked for, and writes it to files beside."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from weighbridge.cli.process.failure import CommandFailed, failure_text
from weighbridge.cli.process.streams import emit, emit_command
from weighbridge.config.file.regular_file import (
    NOT_REGULAR,
    open_regular,
    read_regular,
    why_unreadable,
)
from weighbridge.domain.check.image_check import ImageCheck
from weighbridge.domain.text.printable import printable
from weighbridge.errors import UsageError, WeighbridgeError
from weighbridge.presentation.check.check_table import render_check
from weighbridge.presentation.check.csv_json_markdown import (
    check_csv,
    check_json,
    check_markdown,
)
from weighbridge.presentation.check.github_workflow import (
    DOCKERFILE_BYTES,
    annotations,
    at_line,
    command,
    find_line,
    instruction_to_blame,
)
from weighbridge.presentation.forms.runner_commands import defused
from weighbridge.presentation.forms.screen import Output, Screen

_SUFFIXES: Final[Mapping[str, Output]] = {
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
}
_SUMMARY: Final = "GITHUB_STEP_SUMMARY"


class Forms:
    """How one check is shown.

    reports:    files that it is written to as well, their form by their suffix
    dockerfile: what the lines of annotations are looked for in
    Raises UsageError(invalid_report, unreadable_file) before anything is asked.
    """

    def __init__(
        self,
        output: Output,
        screen: Screen,
        reports: Sequence[str],
        dockerfile: str | None,
    ) -> None:
        self._output = output
        self._screen = screen
        self._reports = {name: _form_of(name) for name in reports}
        self._dockerfile = dockerfile
        if dockerfile is not None:
            _refuse_irregular(dockerfile)

    def show(
        self, check: ImageCheck, exit_code: int, environ: Mapping[str, str]
    ) -> None:
        """Print it, write the reports. Raises WeighbridgeError(cannot_write)."""
        for warning in check.weighing.warnings:
            click.echo(f"warning: {printable(warning)}", err=True)
        for name, form in self._reports.items():
            _write(name, defused(self._text(check, form, exit_code)))
        if self._output == "github":
            self._show_in_workflow(check, environ)
        else:
            emit(self._text(check, self._output, exit_code))

    def printed(self, failed: CommandFailed) -> CommandFailed:
        """The same; in a workflow it is an annotation too."""
        if self._output == "github":
            emit_command(command("error", "weighbridge check", failure_text(failed)))
        return failed

    def _text(self, check: ImageCheck, form: Output, exit_code: int) -> str:
        texts: dict[Output, Callable[[], str]] = {
            "json": lambda: check_json(check, exit_code),
            "csv": lambda: check_csv(check),
            "markdown": lambda: check_markdown(check, iec=self._screen.iec),
        }
        return texts.get(form, lambda: render_check(check, self._screen))()

    def _show_in_workflow(self, check: ImageCheck, environ: Mapping[str, str]) -> None:
        """The table for who reads the log, annotations, and the job's summary."""
        emit(render_check(check, self._screen))
        place = _place(check, self._dockerfile)
        for line in annotations(check, place=place, iec=self._screen.iec):
            emit_command(line)
        summary = environ.get(_SUMMARY)
        if not summary:
            return
        text = defused(check_markdown(check, iec=self._screen.iec))
        try:
            with open(summary, "a", encoding="utf-8") as file:
                file.write(f"{text}\n\n")
        except OSError as exc:
            # The verdict must not depend on it.
            why = f"the summary cannot be written: {exc.strerror}"
            click.echo(f"warning: {why}", err=True)


def _place(check: ImageCheck, dockerfile: str | None) -> str:
    """Where the line to blame stands, as an annotation says it; "" for nowhere."""
    instruction = instruction_to_blame(check)
    if dockerfile is None or instruction is None:
        return ""
    try:
        text = read_regular(dockerfile, DOCKERFILE_BYTES).decode(errors="replace")
    except (OSError, ValueError) as exc:
        why = why_unreadable(exc)
        click.echo(f"warning: {printable(dockerfile)} {why}", err=True)
        return ""
    line = find_line(text, instruction)
    return "" if line is None else at_line(dockerfile, line)


def _refuse_irregular(dockerfile: str) -> None:
    """Refuse a pipe or device. A file that cannot be read only takes annotations away:
    that is a warning, after the verdict."""
    try:
        open_regular(dockerfile).close()
    except (OSError, ValueError) as exc:
        if getattr(exc, "strerror", None) == NOT_REGULAR:
            raise UsageError(
                f"--dockerfile {printable(dockerfile)} {NOT_REGULAR}",
                code="unreadable_file",
                hint="name the Dockerfile itself, no pipe and no device",
            ) from exc


def _form_of(name: str) -> Output:
    form = _SUFFIXES.get(Path(name).suffix)
    if form is None:
        raise UsageError(
            f"{printable(name)} names no form of a report",
            code="invalid_report",
            hint=f"end it with {', '.join(_SUFFIXES)}",
        )
    return form


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or "no such path"
        raise WeighbridgeError(
            f"{printable(name)} cannot be written: {why}", code="cannot_write"
        ) from exc
