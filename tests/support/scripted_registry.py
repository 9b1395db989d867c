"""A registry on a real port that answers by a script, and by nothing else."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived. Names of `headers` are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def authorization(self) -> str:
        """What was shown, "" for nothing."""
        return self.headers.get("authorization", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back.

    body_bytes: how much of `body` is sent before the connection is cut; None for
                all of it, and the connection stays
    is_reset:   the connection is reset before any byte
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    body_bytes: int | None = None
    is_reset: bool = False


RESET = Reply(is_reset=True)
Replying = Reply | Callable[[Request], Reply]


@dataclass(slots=True)
class Rule:
    """If this request, answer that.

    shows: the Authorization that it must have; None for any
    state: the state that the server must be in; None for any
    then:  the state afterwards; None leaves it
    times: how often it holds; None for ever
    hits:  how often it was used
    """

    method: str
    target: str
    reply: Replying
    shows: str | None = None
    state: str | None = None
    then: str | None = None
    times: int | None = None
    hits: int = 0

    def fits(self, request: Request, state: str) -> bool:
        return (
            (request.method, request.target) == (self.method, self.target)
            and self.shows in (None, request.authorization)
            and self.state in (None, state)
            and (self.times is None or self.hits < self.times)
        )


@dataclass(slots=True)
class ScriptedRegistry:
    """The first rule that fits answers. A request that fits none is noted, and the
    test fails when the server ends."""

    port: int = 0
    state: str = "begin"
    rules: list[Rule] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    unscripted: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        """Methods and targets that arrived, in order."""
        return [f"{request.method} {request.target}" for request in self.seen]

    def on(
        self,
        method: str,
        target: str,
        reply: Replying,
        *,
        shows: str | None = None,
        state: str | None = None,
        then: str | None = None,
        times: int | None = None,
    ) -> Rule:
        """Add a rule after those that are there."""
        rule = Rule(method, target, reply, shows, state, then, times)
        self.rules.append(rule)
        return rule

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection."""
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request; False where the connection ends with its answer."""
        request = _parsed(await reader.readuntil(b"\r\n\r\n"))
        self.seen.append(request)
        reply = self._reply_to(request)
        if reply.is_reset:
            _reset(writer)
            return False
        writer.write(_head(reply))
        if request.method != "HEAD":
            writer.write(reply.body[: reply.body_bytes])
        await writer.drain()
        return reply.body_bytes is None

    def _reply_to(self, request: Request) -> Reply:
        for rule in self.rules:
            if rule.fits(request, self.state):
                rule.hits += 1
                self.state = rule.then or self.state
                reply = rule.reply
                return reply if isinstance(reply, Reply) else reply(request)
        self.unscripted.append(request)
        return Reply(418, body=b"not in the script")


@asynccontextmanager
async def scripted_registry() -> AsyncIterator[ScriptedRegistry]:
    """A server that listens until the block ends; fails if it was asked anything
    that is not in its script."""
    scripted = ScriptedRegistry()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        await server.wait_closed()
    assert scripted.unscripted == [], "requests that are not in the script"


def _parsed(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.lower(): value.strip() for name, value in pairs}
    return Request(method, target, headers)


def _head(reply: Reply) -> bytes:
    headers = [*reply.headers, ("Content-Length", str(len(reply.body)))]
    lines = [f"HTTP/1.1 {reply.status} Scripted"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: linger for 0 seconds."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
