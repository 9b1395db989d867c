"""What is asked of the C library is asked in a process of its own: what is set there
stays set.
"""

import json
import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, json, sys, threading
from xml.etree import ElementTree
from weighbridge import process_memory

if sys.argv[1] == "prepared":
    process_memory.prepare()
library = ctypes.CDLL(None)
for name in ("malloc", "fopen"):
    getattr(library, name).restype = ctypes.c_void_p


def heaps():
    stream = ctypes.c_void_p(library.fopen(sys.argv[2].encode(), b"w"))
    library.malloc_info(0, stream)
    library.fclose(stream)
    return ElementTree.parse(sys.argv[2]).getroot()


def mapped():
    return int(heaps().find("./total[@type='mmap']").get("count"))


gate = threading.Barrier(9)


def allocate():
    library.malloc(5_000)
    gate.wait(60)
    gate.wait(60)


threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
gate.wait(60)
arenas = len(heaps().findall("heap"))
gate.wait(60)
# glibc's own threshold grows with the first large block that is freed.
library.free(ctypes.c_void_p(library.malloc(1_000_000)))
before = mapped()
library.malloc(500_000)
print(json.dumps({"arenas": arenas, "mapped": mapped() - before}))
"""


def _seen(how: str, file: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how, file],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    seen: dict[str, int] = json.loads(done.stdout)
    return seen


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_threads_share_two_arenas_and_large_texts_go_back_to_the_system(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = str(tmp_path_factory.mktemp("malloc") / "info.xml")
    assert _seen("prepared", file) == {"arenas": 2, "mapped": 1}
    as_it_is = _seen("as it is", file)
    assert as_it_is["arenas"] > 2
    assert as_it_is["mapped"] == 0


_RING = """
import gc, time, weakref
from weighbridge import process_memory


class Ring:
    def __init__(self):
        self.me = self


gc.disable()
ended = process_memory.collect_now_and_then(0.01)
ring = weakref.ref(Ring())
ends_at = time.monotonic() + 60
while ring() is not None and time.monotonic() < ends_at:
    time.sleep(0.01)
print("gone" if ring() is None else "kept", end=" ")
ended.set()
time.sleep(0.1)
ring = weakref.ref(Ring())
time.sleep(0.1)
print("gone" if ring() is None else "kept")
"""


@pytest.mark.slow
def test_a_ring_goes_though_nothing_is_made_beside_it_until_it_is_ended() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RING],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert done.stdout == "gone kept\n"
