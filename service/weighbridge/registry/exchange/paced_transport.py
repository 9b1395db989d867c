"""Token servers and a vendor's own API, asked by an ordinary `httpx.AsyncClient`."""

import httpx

from weighbridge.domain.limits import REQUEST_DEADLINE_S
from weighbridge.net.guard.url_parts import address_of_url
from weighbridge.net.http1.header_fields import Fields
from weighbridge.net.http1.request import Sender
from weighbridge.net.translate import translated
from weighbridge.net.transport import Transport, client_over
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.paced_exchange import Attempts, PacedExchange
from weighbridge.registry.exchange.registry_request import (
    JSON,
    RegistryAnswer,
    RegistryRequest,
)


class PacedTransport(httpx.AsyncBaseTransport):
    """Lets every request wait for its turn, counts it, and sends it again where that
    can help. Of `request.extensions`, besides those of `net.transport.Transport`:

    operation:  what it is counted as; it must be said, and `body_limit` too
    handles:    statuses that whoever asks wants to see instead of an error
    attempts:   noted here, so that the same request with another token goes on
                counting, before those that came later

    A 401 is an answer. Raises TransportError, RegistryError.
    """

    def __init__(
        self, exchange: PacedExchange, transport: httpx.AsyncBaseTransport
    ) -> None:
        self._exchange = exchange
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, read whole."""
        response: httpx.Response

        async def send() -> RegistryAnswer:
            nonlocal response
            try:
                response = await self._transport.handle_async_request(request)
                await response.aread()
            except httpx.RequestError as exc:
                raise translated(exc, address_of_url(request.url)) from exc
            return answer_of(response)

        question = question_of(request)
        attempts: Attempts = request.extensions.setdefault(
            "attempts", Attempts.of(question.operation)
        )
        await self._exchange.ask(question, attempts, send)
        attempts.is_ahead = True
        return response

    async def aclose(self) -> None:
        """End every connection."""
        await self._transport.aclose()


def api_client(
    endpoint: Endpoint,
    exchange: PacedExchange,
    connections: Sender,
    auth: httpx.Auth | None = None,
) -> httpx.AsyncClient:
    """A client that keeps to the limits of `endpoint`. Nothing of what is configured
    for a registry but its limits and its ceiling is shown to whom it asks."""
    transport = PacedTransport(
        exchange,
        Transport(
            connections,
            ceiling=endpoint.ceiling,
            trusted_storage_hosts=endpoint.trusted_storage_hosts,
        ),
    )
    http = client_over(
        transport, REQUEST_DEADLINE_S, contact=endpoint.contact, auth=auth
    )
    http.headers["Accept"] = JSON
    return http


def question_of(request: httpx.Request) -> RegistryRequest:
    """The same in the words of counts and errors."""
    said = request.extensions
    return RegistryRequest(
        operation=said["operation"],
        url=str(request.url),
        scope="",
        body_limit=said["body_limit"],
        method="POST" if request.method == "POST" else "GET",
        handles=said.get("handles", frozenset()),
    )


def answer_of(response: httpx.Response) -> RegistryAnswer:
    """An answer that was read."""
    return RegistryAnswer(
        status=response.status_code,
        headers=Fields(response.headers.raw),
        content=response.content,
        is_proven=response.extensions.get("framing") != "close",
        is_away=False,
    )
