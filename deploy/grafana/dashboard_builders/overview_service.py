"""Whether the processes of Weighbridge do their work."""

from typing import Final

from dashboard_builders import colours, fields
from dashboard_builders.fields import Look
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.panels import stat
from dashboard_builders.queries import Selection
from dashboard_builders.shapes import Object

_ALONE: Final = "no workers: one process"
_LATE: Final[fields.Steps] = ((60, colours.NEAR), (300, colours.OVER))
_WAITING: Final[fields.Steps] = ((300, colours.NEAR), (1800, colours.OVER))
_FAILED: Final = {0: ("yes", colours.BASE), 1: ("failed", colours.OVER)}
_RELOADED: Final = {0: ("a fault in a file", colours.OVER), 1: ("yes", colours.BASE)}
_NOBODY: Final = {0: ("none runs", colours.OVER)}


def service(service: Selection) -> Section:
    return Section(
        "The service and its workers",
        [
            Strip(4, _itself(service)),
            Strip(4, _crew(service)),
            Strip(7, [_queues(service), _tasks(service)]),
        ],
    )


def _itself(service: Selection) -> list[Object]:
    ticked = service.latest("weighbridge_scheduler_last_tick_timestamp_seconds")
    return [
        stat(
            "Scheduler last ran",
            "How long ago the scheduler last searched for due work; it does so every"
            " few seconds.",
            # It is 0 until the first run.
            f"time() - ({ticked} > 0)",
            Look(fields.SECONDS, "not yet", _LATE, decimals=0),
        ),
        stat(
            "Refused by the database",
            "Transactions of crawls in the shown time that the database refused or"
            " lost.",
            service.increase("weighbridge_db_write_errors_total"),
            Look(fields.COUNT, "no service", fields.ANY_IS_BAD, decimals=0),
        ),
        stat(
            "Inventory read",
            "Whether the inventory was read at the last attempt; else older numbers are"
            " served.",
            service.latest("weighbridge_exporter_collect_errors"),
            Look(fields.NUMBER, "no service", words=_FAILED),
        ),
        stat(
            "Policies read",
            "Whether every file of policies was loaded at the last attempt; else the"
            " policies from before are in force.",
            service.least("weighbridge_config_last_reload_successful"),
            Look(fields.NUMBER, "no service", words=_RELOADED),
        ),
    ]


def _crew(service: Selection) -> list[Object]:
    waiting = service.by("queue")
    oldest = waiting.latest("weighbridge_queue_oldest_task_timestamp_seconds")
    failed = service.common_increase("weighbridge_task_failures_total", "task")
    taken = service.common_increase("weighbridge_tasks_total", "task")
    return [
        stat(
            "Workers",
            "Workers that have reported within the last 45 seconds; each"
            " `weighbridge worker` counts as two.",
            service.latest("weighbridge_workers"),
            Look(fields.COUNT, _ALONE, words=_NOBODY),
        ),
        stat(
            "Messages that wait",
            "Messages in all queues that no worker has taken yet.",
            f"sum ({waiting.latest('weighbridge_queue_tasks')})",
            Look(fields.COUNT, _ALONE),
        ),
        stat(
            "Waits longest",
            "The age of the message that waits longest.",
            # It is 0 where none waits.
            f"time() - min ({oldest} > 0)",
            Look(fields.SECONDS, "nothing waits", _WAITING, decimals=0),
        ),
        stat(
            "Tasks that failed",
            "Tasks in the shown time that ended with an error.",
            # A failure is counted from the first one on.
            f"{failed} or 0 * {taken}",
            Look(fields.COUNT, _ALONE, fields.ANY_IS_WORTH_A_LOOK, decimals=0),
        ),
    ]


def _queues(service: Selection) -> Object:
    waiting = service.by("queue").latest("weighbridge_queue_tasks")
    return chart(
        "Messages that wait, by queue",
        "Messages that no worker has taken yet. A push never waits behind a crawl.",
        [Line("{{queue}}", waiting)],
        Look(fields.COUNT, _ALONE),
    )


def _tasks(service: Selection) -> Object:
    return chart(
        "Tasks",
        "Messages that workers have taken, the ones that ended with an error, and the"
        " ones that asked for what is not configured.",
        [
            Line("{{task}}", service.common_rate("weighbridge_tasks_total", "task")),
            Line(
                "{{task}} failed",
                service.common_rate("weighbridge_task_failures_total", "task"),
            ),
            Line(
                "{{task}} dropped: {{reason}}",
                service.common_rate(
                    "weighbridge_tasks_dropped_total", "task", "reason"
                ),
            ),
        ],
        Look(fields.EVENTS_A_SECOND, _ALONE),
        steps=False,
    )
