"""The socket of a service manager, in a thread: what a service says to it, by whom."""

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")


@dataclass(slots=True)
class NotifySocket:
    """
    path: what `NOTIFY_SOCKET` is to be
    said: each statement, with the process that made it
    """

    path: Path
    said: list[tuple[int, str]] = field(default_factory=list)

    def of(self, pid: int) -> list[str]:
        """What that process said, without signs of life and times."""
        texts = (text.partition("\n")[0] for by, text in self.said if by == pid)
        return [text for text in texts if text != "WATCHDOG=1"]

    def signs_of_life(self, pid: int) -> int:
        return self.said.count((pid, "WATCHDOG=1"))

    @property
    def strangers(self) -> bool:
        """Whether anything was said that systemd does not know."""
        known = (
            r"(READY|STOPPING|WATCHDOG)=1|RELOADING=1\nMONOTONIC_USEC=\d+"
            r"|STATUS=[^\n]+\nEXTEND_TIMEOUT_USEC=\d+|READY=1\nSTATUS="
        )
        return any(not re.fullmatch(known, text) for _, text in self.said)


@contextmanager
def a_notify_socket(folder: Path) -> Iterator[NotifySocket]:
    """Listens for the length of the block."""
    heard = NotifySocket(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        receiver.bind(str(heard.path))
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                space = socket.CMSG_SPACE(_CREDENTIALS.size)
                text, [(_, _, sender)], _, _ = receiver.recvmsg(4096, space)
                heard.said.append((_CREDENTIALS.unpack(sender)[0], text.decode()))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield heard
        finally:
            ended.set()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"STOPPING=1", str(heard.path))
            thread.join()
