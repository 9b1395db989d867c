"""`weighbridge doctor`: one check of an installation, and what to do about it."""

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click

from weighbridge.cli.options.common import Options, common_options
from weighbridge.cli.options.parameters import TIMEOUT
from weighbridge.cli.process.failure import FOUND, CommandFailed, advice
from weighbridge.cli.process.streams import emit
from weighbridge.errors import ConfigError
from weighbridge.presentation.forms.screen import Output, Role, Screen

if TYPE_CHECKING:
    from weighbridge.bootstrap.doctor.check import CheckResult

_EXAMPLES: Final = """\b
Examples:
  weighbridge doctor
  weighbridge doctor --config weighbridge.yaml -o json
"""


@click.command(epilog=_EXAMPLES)
@click.option(
    "--timeout",
    "timeout_s",
    type=TIMEOUT,
    default="15s",
    help="How long each check may take (15s).",
)
@common_options(results=True, sizes=False)
def command(options: Options, timeout_s: int) -> int:
    """Check everything that an installation needs, and say what to do.

    The configuration and its secrets, the database, Redis, each registry (sign-in and
    one listing), workers and scheduler, webhooks, channels, policies, the limits of a
    scrape, and the files of TLS. Nothing is changed, and no message is sent.

    Exits with 1 if there is a fault, with 0 if all is right or there are warnings
    alone.
    """
    found = _found(options, timeout_s)
    emit(printed(found, options.output, options.screen()))
    return FOUND if any(one.state == "fault" for one in found) else 0


def _found(options: Options, timeout_s: int) -> "list[CheckResult]":
    try:
        settings = options.settings(policy_files=True)
        policies = options.policies()
    except CommandFailed as exc:
        if not isinstance(exc.cause, ConfigError):
            raise

        from weighbridge.bootstrap.doctor.configuration import faults_of_configuration

        return faults_of_configuration(exc.cause)

    from weighbridge.bootstrap.doctor.check import Installation
    from weighbridge.bootstrap.doctor.check_table import CHECKS
    from weighbridge.bootstrap.doctor.running import examine
    from weighbridge.cli.actions.progress import watching
    from weighbridge.cli.doctor_served import SERVED
    from weighbridge.config import find_config_file

    installation = Installation(
        settings,
        policies,
        find_config_file(options.config, os.environ),
        os.environ,
        options.docker_config(),
        timeout_s,
    )
    with watching(options.screen(is_error=True), sys.stderr) as watch:
        return examine(installation, (*CHECKS, *SERVED), watch)


def printed(found: "Sequence[CheckResult]", output: Output, screen: Screen) -> str:
    """A line each, and below it what to do; in JSON all keys."""
    from weighbridge.presentation.forms.csv_json_markdown import (
        code,
        csv_table,
        json_text,
        markdown_table,
    )

    rows = [_as_object(one) for one in found]
    if output == "json":
        return json_text({"items": rows, **_counts(found)})
    if output == "csv":
        return csv_table(_KEYS, rows)
    if output == "markdown":
        cells = ([code(str(row[key] or "")) for key in _KEYS] for row in rows)
        return markdown_table(_KEYS, cells)
    width = max(len(one.name) for one in found)
    lines = [line for one in found for line in _lines(one, width, screen)]
    return "\n".join([*lines, "", _summary(found)])


_KEYS: Final = ("name", "state", "text", "action", "code", "seconds")


def _as_object(one: "CheckResult") -> Mapping[str, object]:
    from weighbridge.domain.text.printable import printable

    return {
        "name": one.name,
        "state": one.state,
        "text": printable(one.text),
        "action": printable(_action(one)) or None,
        "code": one.code or None,
        "seconds": round(one.seconds, 3),
    }


def _action(one: "CheckResult") -> str:
    return one.action or advice(one.code)


def _counts(found: "Sequence[CheckResult]") -> Mapping[str, int]:
    return {
        "faults": sum(one.state == "fault" for one in found),
        "warnings": sum(one.state == "warning" for one in found),
    }


def _summary(found: "Sequence[CheckResult]") -> str:
    from weighbridge.presentation.forms.phrases import plural

    counts = _counts(found)
    if not any(counts.values()):
        return "all is right"
    faults = plural(counts["faults"], "fault")
    return f"{faults}, {plural(counts['warnings'], 'warning')}"


_ROLES: Final[Mapping[str, Role | None]] = {
    "ok": None,
    "warning": "heaviest",
    "fault": "over",
}


def _lines(one: "CheckResult", width: int, screen: Screen) -> list[str]:
    """Nothing is cut: what to do has to be read to its end."""
    from weighbridge.domain.text.printable import printable

    state = screen.painted(one.state.ljust(7), _ROLES[one.state])
    told = _wrapped(printable(one.text), 7 + 2 + width + 2, screen)
    lines = [f"{state}  {one.name.ljust(width)}  {told[0]}", *told[1:]]
    if one.state != "ok" and (action := printable(_action(one))):
        begin = f"{' ' * (7 + 2 + width + 2)}do: "
        told = _wrapped(action, len(begin), screen)
        lines += [f"{begin}{told[0]}", *told[1:]]
    return lines


def _wrapped(text: str, used: int, screen: Screen) -> list[str]:
    """Over as many lines as it needs, all but the first moved in."""
    if screen.width is None:
        return [text]
    first, *rest = textwrap.wrap(
        text,
        max(screen.width - used, 20),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
    return [first, *(f"{' ' * used}{line}" for line in rest)]
