"""The metric objects of one process: made once, passed in, never global.

`process` has `Telemetry`, which is all that others know; `pushes` its part from a
webhook to a message.
"""

from weighbridge.telemetry.process import REQUEST_BUCKETS, TASK_BUCKETS, Telemetry
from weighbridge.telemetry.pushes import IMAGE_BUCKETS, PUSH_BUCKETS, VERDICTS

__all__ = [
    "IMAGE_BUCKETS",
    "PUSH_BUCKETS",
    "REQUEST_BUCKETS",
    "TASK_BUCKETS",
    "VERDICTS",
    "Telemetry",
]
