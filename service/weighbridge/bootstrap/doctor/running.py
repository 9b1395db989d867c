"""Runs checks side by side, each with an end: one that hangs costs its own time."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from weighbridge.bootstrap.doctor.check import (
    DATABASE,
    Check,
    CheckResult,
    Installation,
    fault_of,
)
from weighbridge.errors import WeighbridgeError

_AT_A_TIME: Final = 64
"""Nearly all of them only wait. A hundred registries that hang cost two rounds."""
_LOOKED_EVERY_S: Final = 0.02
_GRACE_S: Final = 2.0
"""So much longer than its own limits say a check may take: what it says itself tells
more than that it has not ended."""

Watch = Callable[[str, int, int], None]


def examine(
    installation: Installation, checks: Sequence[Check], watch: Watch
) -> list[CheckResult]:
    """What all of them find, in their order."""
    first = [check for check in checks if not check.needs_database]
    later = [check for check in checks if check.needs_database]
    found = _run_all(installation, first, len(checks), watch)
    is_usable = all(finding.state == "ok" for finding in found.get(DATABASE, ()))
    if is_usable:
        found |= _run_all(installation, later, len(checks), watch, len(first))
    else:
        found |= {check.name: [_not_checked(check)] for check in later}
    return [finding for check in checks for finding in found[check.name]]


def _not_checked(check: Check) -> CheckResult:
    return CheckResult(
        check.name,
        "warning",
        "not checked, as the database cannot be used",
        "put the database right first",
    )


class _Running:
    """One check of one subject, from its beginning on."""

    def __init__(self, check: Check, subject: str, installation: Installation) -> None:
        self.name = check.name_of(subject)
        self.found: list[CheckResult] = []
        self._began = time.monotonic()
        self._ends_at = self._began + installation.timeout_s + _GRACE_S
        self._ended = threading.Event()
        # Nobody waits for one that hangs, not even the process as it ends.
        threading.Thread(
            target=self._run, args=(check, subject, installation), daemon=True
        ).start()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set() or time.monotonic() > self._ends_at

    def findings(self) -> list[CheckResult]:
        """What it has found; and that it hangs, if it does."""
        found = list(self.found)
        if not self._ended.is_set():
            found.append(
                self._timed(
                    CheckResult(
                        self.name,
                        "fault",
                        "this has not come to an end in time",
                        "see whether what it asks stands still, or allow more time:"
                        " --timeout 1m",
                        "deadline",
                    )
                )
            )
        return found

    def _run(self, check: Check, subject: str, installation: Installation) -> None:
        try:
            for finding in check.look(installation, subject):
                self.found.append(self._timed(finding))
        except WeighbridgeError as exc:
            self.found.append(self._timed(fault_of(self.name, exc)))
        except Exception as exc:  # noqa: BLE001 - the other checks are to be seen
            # Its own text may hold a secret.
            self.found.append(
                self._timed(
                    CheckResult(
                        self.name,
                        "fault",
                        f"weighbridge has a fault here ({type(exc).__name__})",
                        "report it",
                    )
                )
            )
        finally:
            self._ended.set()

    def _timed(self, finding: CheckResult) -> CheckResult:
        return replace(finding, seconds=time.monotonic() - self._began)


def _run_all(
    installation: Installation,
    checks: Sequence[Check],
    total: int,
    watch: Watch,
    before: int = 0,
) -> dict[str, list[CheckResult]]:
    """By the name of the check. total, before: for whoever watches"""
    waiting = [
        (check, subject) for check in checks for subject in check.subjects(installation)
    ]
    waiting.reverse()
    begun: list[tuple[Check, _Running]] = []
    running: list[_Running] = []
    while waiting or running:
        while waiting and len(running) < _AT_A_TIME:
            check, subject = waiting.pop()
            running.append(_Running(check, subject, installation))
            begun.append((check, running[-1]))
        time.sleep(_LOOKED_EVERY_S)
        running = [one for one in running if not one.has_ended]
        open_names = {c.name for c, _ in waiting} | {
            c.name for c, one in begun if one in running
        }
        watch("checks", before + len(checks) - len(open_names), total)
    found: dict[str, list[CheckResult]] = {check.name: [] for check in checks}
    for check, one in begun:
        found[check.name] += one.findings()
    return found
