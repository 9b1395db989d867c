"""The command line: finds the command, runs it, turns errors into exit codes.

0 fine, 1 a check has found something, 2 wrong usage or configuration, 3 could not be
weighed or done, 130 interrupted, 143 `crawl` ended by SIGTERM.
A command's module is imported when the command is named; only click is needed for
`--help`, which is why it answers at once.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from weighbridge import __version__, process_memory
from weighbridge.cli.options.parameters import SuggestingGroup
from weighbridge.cli.process.failure import NOT_WEIGHED, report
from weighbridge.cli.process.streams import (
    OutputFailed,
    give_up,
    is_of_output,
    take_over,
)

_COMMANDS: Final = {
    "inspect": "weighbridge.cli.inspect",
    "compare": "weighbridge.cli.reports.compare",
    "check": "weighbridge.cli.check",
    "crawl": "weighbridge.cli.crawl",
    "top": "weighbridge.cli.reports.top",
    "history": "weighbridge.cli.reports.history",
    "bases": "weighbridge.cli.reports.bases",
    "costs": "weighbridge.cli.reports.costs",
    "reclaim": "weighbridge.cli.reports.reclaim",
    "up": "weighbridge.cli.up",
    "serve": "weighbridge.cli.serve",
    "worker": "weighbridge.cli.worker",
    "scheduler": "weighbridge.cli.scheduler",
    "queue": "weighbridge.cli.queue",
    "violations": "weighbridge.cli.reports.violations",
    "waive": "weighbridge.cli.waive",
    "policy": "weighbridge.cli.policy",
    "notify": "weighbridge.cli.notify",
    "config": "weighbridge.cli.config",
    "registry": "weighbridge.cli.registry",
    "db": "weighbridge.cli.db",
    "health": "weighbridge.cli.health",
    "doctor": "weighbridge.cli.doctor",
    "webhook": "weighbridge.cli.webhook",
    "token": "weighbridge.cli.token",
    "audit": "weighbridge.cli.audit",
}
"""In the order in which a newcomer needs them; each module has a `command`."""

_CLICK_BROKEN_PIPE: Final = 1
"""What click exits with where `--help` meets a closed pipe."""


class LazyGroup(SuggestingGroup):
    """A group whose commands are modules, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: object = import_module(_COMMANDS[cmd_name]).command
        return command if isinstance(command, click.Command) else None


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nTry:\n  weighbridge inspect python:3.7-slim\n  weighbridge up --demo",
)
@click.version_option(__version__, message="weighbridge %(version)s")
def cli() -> None:
    """Weigh container images at the registry, without pulling them."""


def main() -> None:
    """What the `weighbridge` script calls."""
    process_memory.prepare()
    take_over()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns its exit code; every error is told on stderr."""
    is_debug = "--debug" in arguments
    try:
        return _run(arguments, is_debug=is_debug)
    except OutputFailed as exc:
        give_up(exc.__cause__)
    except OSError as exc:
        # stderr takes nothing either.
        give_up(exc)
    return NOT_WEIGHED


def _run(arguments: Sequence[str], *, is_debug: bool) -> int:
    try:
        result: object = cli.main(
            args=list(arguments), prog_name="weighbridge", standalone_mode=False
        )
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except SystemExit as exc:
        if exc.code != _CLICK_BROKEN_PIPE:
            raise
        raise OutputFailed from exc
    except OutputFailed:
        raise
    except Exception as exc:
        if isinstance(exc, OSError) and is_of_output(exc):
            raise OutputFailed from exc
        return report(exc, is_debug=is_debug)
    return result if isinstance(result, int) else 0
