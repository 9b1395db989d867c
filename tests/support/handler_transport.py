"""An httpx transport whose answers a test's function makes."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx

Handler = (
    Callable[[httpx.Request], httpx.Response]
    | Callable[[httpx.Request], Awaitable[httpx.Response]]
)


class HandlerTransport(httpx.AsyncBaseTransport):
    """Keeps to the body budget of a request as our own transport does.

    requests: everything that was asked, in order
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.requests: list[httpx.Request] = []
        self.is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._handler(request)
        response = answer if isinstance(answer, httpx.Response) else await answer
        extensions = dict(response.extensions)
        content = b"" if request.method == "HEAD" else await response.aread()
        if len(content) <= request.extensions["body_limit"]:
            response.request = request
            return response
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_OverBudget(),
            request=request,
            extensions=extensions | {"over_budget": True},
        )

    async def aclose(self) -> None:
        self.is_closed = True

    @property
    def paths(self) -> list[str]:
        """Paths and queries that were asked, in order."""
        return [request.url.raw_path.decode() for request in self.requests]

    def sent(self, header: str) -> list[str | None]:
        """What each request said in this header."""
        return [request.headers.get(header) for request in self.requests]


class _OverBudget(httpx.AsyncByteStream):
    def __aiter__(self) -> AsyncIterator[bytes]:
        raise httpx.ReadError("the body exceeds its budget")
