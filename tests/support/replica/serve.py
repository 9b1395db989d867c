"""`python -m support.replica.serve KIND`: a replica registry on a port.

Prints its address and serves until it is told to end. With PYTHONPATH=tests.
"""

import argparse
import asyncio
import gc
import signal
import sys
from contextlib import suppress

from support.replica.dataset import DatasetContent, dataset_content
from support.replica.fleet import Fleet
from support.replica.million import FleetContent
from support.replica.records import written
from support.replica.server import KEPT_BYTES, ReplicaServer


def main() -> None:
    """Build the content, listen, print the URL."""
    given = _arguments().parse_args()
    delay_s = given.delay_ms / 1000
    if given.content == "dataset":
        content = dataset_content(given.only or ("*",))
        server = ReplicaServer(content, delay_s=delay_s, kept_bytes=KEPT_BYTES)
        server.replies.prepare()
    elif given.content == "written":
        content = DatasetContent(written())
        server = ReplicaServer(content, delay_s=delay_s, kept_bytes=KEPT_BYTES)
    else:
        fleet = Fleet(
            given.repositories,
            given.tags,
            given.largest,
            given.tags_per_image,
            given.bases,
            given.copy_every,
        )
        # Nothing is kept ready: memory stays flat, and every answer costs the same.
        server = ReplicaServer(FleetContent(fleet), delay_s=delay_s, kept_bytes=0)
    # What is built lives as long as the process: no collection need look at it.
    gc.freeze()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(server, given.port, given.until_stdin_ends))


async def _serve(server: ReplicaServer, port: int, until_stdin_ends: bool) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    if until_stdin_ends:
        # Nobody writes there: it is ready to be read when the other end is gone.
        loop.add_reader(sys.stdin, ended.set)
    listening = await server.serve("127.0.0.1", port)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()
    listening.close()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument(
        "--until-stdin-ends", action="store_true", help="end with the parent process"
    )
    contents = parser.add_subparsers(dest="content", required=True)
    dataset = contents.add_parser("dataset", help="the recorded images")
    dataset.add_argument(
        "--only", action="append", metavar="PATTERN", help="such as repo-info-2018/h*"
    )
    contents.add_parser("written", help="the few images of tests/data")
    fleet = contents.add_parser("fleet", help="made-up images, any number of tags")
    for name in Fleet.__dataclass_fields__:
        default = getattr(Fleet, name)
        fleet.add_argument(
            f"--{name.replace('_', '-')}", type=int, default=default, help=f"{default}"
        )
    return parser


if __name__ == "__main__":
    main()
