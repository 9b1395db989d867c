"""How much memory each of several processes needs, for docs/deploying/sizing.md."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from support.generated_content import generated_content
from support.serving import free_address
from support.worker_crew import Process, a_crew
from weighbridge.demo.http.server import RunningDemo

MIB: Final = 1024 * 1024
REPOSITORIES: Final = 100
PLANNED: Final = 300 * MIB
"""What the page says to plan for a process."""


def family(pid: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def peak_bytes(pid: int) -> int:
    """Of its resident set, since it was started."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def told(process: Process) -> list[int]:
    peaks = [peak_bytes(pid) for pid in family(process.popen.pid)]
    shown = ", ".join(f"{peak / MIB:.0f}" for peak in peaks)
    print(f"{process.name}: {shown} MiB")
    return peaks


def test_a_process_needs_no_more_than_is_planned(tmp_path: Path) -> None:
    content = generated_content(repositories=REPOSITORIES, tags=20)
    with (
        closing(RunningDemo(content)) as running,
        a_crew(tmp_path, running.url) as crew,
    ):
        crew.start("serve", "--bind", free_address())
        crew.start("scheduler")
        crew.start("worker", "--concurrency", "2")

        crew.wait_for(
            lambda: crew.is_through(REPOSITORIES), "all is crawled", within_s=300
        )

        print()
        peaks = [peak for process in crew.processes for peak in told(process)]
    assert max(peaks) < PLANNED
