"""What a check is, what it is given, and what it finds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.config import PolicySource, Settings
from weighbridge.errors import WeighbridgeError

State: TypeAlias = Literal["ok", "warning", "fault"]
"""`warning`: it works and should not stay so; `fault`: it does not work."""


class CheckResult(Struct, frozen=True):
    """One line.

    name:    what was looked at, and of several which one: `registry hub`; stable
    text:    what there is, for people; never a secret
    action:  what to do, "" where nothing is to be done or the code says it
    code:    of an error, see docs/troubleshooting.md; "" for none
    seconds: from the beginning of its check on
    """

    name: str
    state: State
    text: str
    action: str = ""
    code: str = ""
    seconds: float = 0.0


class Installation(Struct, frozen=True):
    """What is looked at.


    file:          the configuration file; None: the defaults hold
    environ:       variables that may name further files
    docker_config: where `docker login` keeps credentials
    timeout_s:     how long one check may take
    """

    settings: Settings
    policies: PolicySource
    file: str | None
    environ: Mapping[str, str]
    docker_config: Path | None
    timeout_s: int


Look: TypeAlias = Callable[[Installation, str], Iterator[CheckResult]]


def _the_only_one(_: Installation) -> Sequence[str]:
    return ("",)


class Check(Struct, frozen=True):
    """One thing that is looked at, in a thread of its own.

    look:     gives what it finds, as soon as it does; may raise WeighbridgeError,
              which is a fault
    subjects: of how many; each is looked at by itself
    needs_database: whether it is of no use where the database has a fault
    """

    name: str
    look: Look
    subjects: Callable[[Installation], Sequence[str]] = _the_only_one
    needs_database: bool = False

    def name_of(self, subject: str) -> str:
        return f"{self.name} {subject}".rstrip()


DATABASE: Final = "database"
"""The check that `needs_database` is about."""


def fault_of(name: str, error: WeighbridgeError) -> CheckResult:
    """The line of an error."""
    return CheckResult(name, "fault", error.message, error.hint, error.code)
