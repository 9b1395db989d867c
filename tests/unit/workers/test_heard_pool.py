"""What a worker that stops hears of its processes."""

from types import SimpleNamespace
from typing import Any

from billiard.connection import Pipe

from weighbridge_workers.workarounds import HearingResultHandler


class _Breaking:
    """The end of a pipe that breaks when it is asked for a message."""

    def __init__(self, reader: Any) -> None:  # billiard's, which has no types
        self._reader = reader

    def fileno(self) -> int:
        found: int = self._reader.fileno()
        return found

    def poll(self, timeout: float) -> bool:
        self._reader.close()
        raise OSError("broken")


def test_a_pipe_that_breaks_while_it_is_heard_ends_no_stop() -> None:
    """Celery says twice that its process has ended."""
    reader, writer = Pipe(duplex=False)
    writer.send(("a message",))
    process = SimpleNamespace(
        outq=SimpleNamespace(_reader=_Breaking(reader)), _is_alive=lambda: True
    )
    heard: list[object] = []
    handler = object.__new__(HearingResultHandler)
    handler.__dict__.update(
        cache={},
        check_timeouts=None,
        join_exited_workers=None,
        fileno_to_outq={reader.fileno(): process},
        on_state_change=heard.append,
        _finish_partial_read=lambda fd, process: False,
        _state=0,
    )

    handler.on_stop_not_started()

    assert heard == []
    assert reader.closed
    writer.close()
