"""A process that was told to stop ends, though something in it never does."""

import subprocess
import sys

_HANGS = """
import threading
from weighbridge import logs
from weighbridge.web.server.running import end_after

logs.configure()
threading.Thread(target=threading.Event().wait).start()
end_after(0.1, 7)
"""


def test_a_thread_that_never_ends_does_not_keep_a_process_from_ending() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HANGS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 7
    assert "ended with work under way" in done.stderr
