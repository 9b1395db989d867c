"""What stands for our own connections: answers that a function of a test makes."""

from collections.abc import Awaitable, Callable

import httpx

from weighbridge.net.http1.answer import HTTPAnswer
from weighbridge.net.http1.head import HTTPRequest, request_bytes

Handler = (
    Callable[[httpx.Request], httpx.Response]
    | Callable[[httpx.Request], Awaitable[httpx.Response]]
)


class HandlerConnections:
    """Keeps to the body budget of a request as our own connections do.

    asks:     everything that was asked, in order
    requests: the same as httpx has it, for handlers and tests
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.asks: list[HTTPRequest] = []
        self.requests: list[httpx.Request] = []
        self.is_closed = False

    async def send(self, request: HTTPRequest) -> HTTPAnswer:
        head, _, body = request_bytes(request).partition(b"\r\n\r\n")
        lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
        asked = httpx.Request(
            request.method,
            request.address.text,
            headers=[(name, value) for name, _, value in lines],
            content=body or None,
        )
        self.asks.append(request)
        self.requests.append(asked)
        answer = self._handler(asked)
        response = answer if isinstance(answer, httpx.Response) else await answer
        return await _answer(response, request)

    async def aclose(self) -> None:
        self.is_closed = True

    @property
    def paths(self) -> list[str]:
        """Paths and queries that were asked, in order."""
        return [request.url.raw_path.decode() for request in self.requests]

    def sent(self, header: str) -> list[str | None]:
        """What each request said in this header."""
        return [request.headers.get(header) for request in self.requests]


async def _answer(response: httpx.Response, request: HTTPRequest) -> HTTPAnswer:
    content = b"" if request.method == "HEAD" else await response.aread()
    is_over = len(content) > request.body_limit
    return HTTPAnswer(
        status=response.status_code,
        http_version=b"HTTP/1.1",
        reason=b"",
        fields=response.headers.raw,
        body=b"" if is_over else content,
        framing=response.extensions.get("framing", "length"),
        over_budget=is_over,
        reusable=not is_over,
        stray=False,
    )
