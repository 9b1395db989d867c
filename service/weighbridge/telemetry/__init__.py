"""The metric objects of one process: made once, passed in, never global.

`process_metrics` has `Telemetry`, which is all that others know; `push_metrics` its
part from a webhook to a message.
"""

from weighbridge.telemetry.process_metrics import (
    REQUEST_BUCKETS,
    TASK_BUCKETS,
    Telemetry,
)
from weighbridge.telemetry.push_metrics import IMAGE_BUCKETS, PUSH_BUCKETS, VERDICTS

__all__ = [
    "IMAGE_BUCKETS",
    "PUSH_BUCKETS",
    "REQUEST_BUCKETS",
    "TASK_BUCKETS",
    "VERDICTS",
    "Telemetry",
]
