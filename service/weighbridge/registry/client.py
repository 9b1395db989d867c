"""Asking one registry: signed in, redirects followed, everything at its pace."""

from functools import partial
from typing import Final

from weighbridge.domain.limits import ATTEMPTS, REQUEST_DEADLINE_S
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import AuthError, WeighbridgeError
from weighbridge.net.failure.request_failures import our_errors
from weighbridge.net.guard.addresses import address_of
from weighbridge.net.http1.head import Fields, HTTPRequest, Sender
from weighbridge.net.transport import follow, user_agent
from weighbridge.registry.auth.authorizer import Authorizer, Grant
from weighbridge.registry.auth.token_server import fetch_token
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.paced_exchange import (
    Attempts,
    OnAnswer,
    PacedExchange,
    api_client,
)
from weighbridge.registry.exchange.registry_request import (
    ORDINARY,
    RefusalWords,
    RegistryAnswer,
    RegistryRequest,
)
from weighbridge.registry.pacing.rate_limiter import Clock
from weighbridge.telemetry import Telemetry

_RENEWALS: Final = 3
"""A token may end again while its request waits for its turn, but not for ever."""


class RegistryClient:
    """The one way from a question to its answer.

    `ask` shows what the registry wants to see of us, follows redirects, answers a 401;
    `PacedExchange` has waits, repetitions and counts. It is what a crawl does all the
    time: requests and answers are plain values of ours. Token servers are asked by an
    `httpx.AsyncClient` over the same connections and limits.

    on_answer: told of every answer, refusals included
    words:     how registries of this kind refuse
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Sender,
        telemetry: Telemetry,
        clock: Clock,
        *,
        on_answer: OnAnswer | None = None,
        words: RefusalWords = ORDINARY,
    ) -> None:
        self._endpoint = endpoint
        self._home = endpoint.place
        self._connections = connections
        self._exchange = PacedExchange(endpoint, telemetry, clock, on_answer, words)
        self.counts = self._exchange.counts
        http = api_client(endpoint, self._exchange, connections)
        fetch = partial(fetch_token, http, clock)
        self._authorizer = Authorizer(endpoint, fetch, clock)
        self._user_agent = (b"User-Agent", user_agent(endpoint.contact))

    async def ask(self, question: RegistryRequest) -> RegistryAnswer:
        """The answer: 200, 206 or a status that the question handles.

        Raises TransportError, RegistryError.
        """
        try:
            return await self._ask_signed_in(question)
        except AuthError as error:
            self.counts.note_failure(question.operation, error)
            raise

    async def ask_unsigned(self, question: RegistryRequest) -> RegistryAnswer:
        """The answer to somebody without credentials; a 401 is one. A registry that
        is not there is asked once, one that puts us off three times.

        Raises TransportError, RegistryError.
        """
        attempts = Attempts(ATTEMPTS - 3)
        return await self._exchange.ask(
            question, attempts, partial(self._send, question, None)
        )

    def refusal(
        self, question: RegistryRequest, answer: RegistryAnswer
    ) -> WeighbridgeError:
        """The error for an answer that whoever asked cannot use after all."""
        return self._exchange.refusal(question, answer)

    async def aclose(self) -> None:
        """End what is under way and close every connection."""
        await self._authorizer.aclose()
        await self._connections.aclose()

    async def _ask_signed_in(self, question: RegistryRequest) -> RegistryAnswer:
        grant = await self._authorizer.grant(question.scope)
        try:
            return await self._ask_with(grant, question)
        finally:
            self._authorizer.note_over(grant)

    async def _ask_with(
        self, grant: Grant, question: RegistryRequest
    ) -> RegistryAnswer:
        async def send() -> RegistryAnswer:
            nonlocal grant
            # While it waited, another request may have found its token at its end.
            grant = self._authorizer.renewed(grant)
            return await self._send(question, grant.authorization)

        attempts = Attempts.of(question.operation)
        for _ in range(1 + _RENEWALS):
            answer = await self._exchange.ask(question, attempts, send)
            if answer.status != 401:
                self._authorizer.note_accepted(grant)
                return answer
            values = answer.headers.get_list("www-authenticate")
            better = await self._authorizer.answer_challenge(
                values, question.scope, grant
            )
            if better is None:
                break
            grant, attempts.is_ahead = better, True
        raise self.refusal(question, answer)

    async def _send(
        self, question: RegistryRequest, authorization: Secret | None
    ) -> RegistryAnswer:
        request = self._request(question, authorization)
        hosts = self._endpoint.trusted_storage_hosts
        answer, address = await follow(self._connections, request, hosts, self._home)
        is_unread = answer.over_budget and answer.status == 200
        return RegistryAnswer(
            status=answer.status,
            headers=Fields(answer.fields),
            content=None if is_unread else answer.body,
            is_proven=answer.framing != "close",
            is_away=address is not request.address and not self._home.holds(address),
        )

    def _request(
        self, question: RegistryRequest, authorization: Secret | None
    ) -> HTTPRequest:
        fields = [self._user_agent, (b"Accept", question.accept.encode())]
        if question.byte_range:
            fields.append((b"Range", question.byte_range.encode()))
        if authorization is not None:
            # A character beyond Latin-1 becomes "?", which the server will refuse.
            shown = authorization.reveal().encode("latin-1", "replace")
            fields.append((b"Authorization", shown))
        with our_errors():
            address = address_of(question.url)
        return HTTPRequest(
            method=question.method,
            address=address,
            fields=fields,
            ceiling=self._endpoint.ceiling,
            body_limit=question.read_limit,
            deadline_s=REQUEST_DEADLINE_S,
            may_repeat=True,  # it only reads
        )
