"""Asking one registry: at its pace, tried again where that can help, and counted, as a
cost and as metrics. Token servers and a vendor's own API are asked so by an ordinary
`httpx.AsyncClient`.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import cached_property
from typing import Final, TypeAlias

import httpx
from msgspec import Struct
from prometheus_client import Counter, Histogram

from weighbridge.domain.limits import ATTEMPTS, REQUEST_DEADLINE_S, RETRY_AFTER_MAX_S
from weighbridge.domain.registry.rate_limit import RateLimit, parse_rate_limit
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import (
    AuthError,
    DocumentError,
    RateLimited,
    TransportError,
    WeighbridgeError,
)
from weighbridge.net.failure.request_failures import translated
from weighbridge.net.guard.addresses import address_of_url
from weighbridge.net.http1.head import (
    REMAINING,
    Fields,
    Sender,
    until_reset,
)
from weighbridge.net.transport import Transport, client_over
from weighbridge.ports.protocols import CRAWL_COST, IS_URGENT, JOB_COST, RequestCost
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.registry_request import (
    ANONYMOUS,
    JSON,
    ORDINARY,
    Operation,
    RefusalWords,
    RegistryAnswer,
    RegistryRequest,
    find_refusal,
    refusal,
    wanted_wait,
)
from weighbridge.registry.pacing.rate_limiter import Clock, Rank, RateLimiter
from weighbridge.telemetry import Telemetry

_TOLD_APART: Final = frozenset((401, 403, 404, 429))
_REASONS: Final = {
    "deadline": "timeout",
    "dns_error": "connect",
    "connect_error": "connect",
    "connection_reset": "connect",
    "address_refused": "connect",
    "tls_error": "tls",
    "unauthorized": "auth",
    "not_a_registry": "parse",
}
_RESET: Final = re.compile(r"([0-9]{1,12})(?:\s*[;,].{0,100})?", re.ASCII)
_FIRST_UNIX_TIME: Final = 1_000_000_000


class RequestCounts:
    """The client says what happened; here is where that is counted.

    cost:       since the client was made; the shares of a crawl and of a job go to
                `CRAWL_COST` and `JOB_COST` too
    rate_limit: as it was told last, by headers whose names begin with `told_limit`
    """

    def __init__(
        self,
        telemetry: Telemetry,
        endpoint: Endpoint,
        told_limit: str = ORDINARY.told_limit,
    ) -> None:
        self.cost = RequestCost()
        self.rate_limit: RateLimit | None = None
        self._telemetry = telemetry
        self._name = endpoint.name
        self._limit = f"{told_limit}-limit"
        self._remaining = f"{told_limit}-remaining"
        self._reset = f"{told_limit}-reset"
        self._by_answer: dict[tuple[Operation, int], Counter] = {}
        telemetry.begin_registry(endpoint.name)
        telemetry.registry_insecure.labels(endpoint.name).set(endpoint.is_insecure)

    def note_wait(self, seconds: float) -> None:
        self._throttled_seconds.inc(seconds)

    def note_duration(self, seconds: float) -> None:
        self._durations.observe(seconds)

    def note_request(self, operation: Operation) -> None:
        for cost in self._costs():
            cost.requests += 1
            cost.by_operation[operation] = cost.by_operation.get(operation, 0) + 1

    def note_throttled(self) -> None:
        """The registry said that it was asked too much."""
        for cost in self._costs():
            cost.throttled += 1

    def note_bytes(self, body_bytes: int) -> None:
        for cost in self._costs():
            cost.bytes_read += body_bytes
        self._response_bytes.inc(body_bytes)

    def note_answer(
        self, operation: Operation, answer: RegistryAnswer, now: datetime
    ) -> None:
        counter = self._by_answer.get((operation, answer.status))
        if counter is None:
            counter = self._telemetry.registry_requests.labels(
                self._name, operation, _status_class(answer.status)
            )
            self._by_answer[operation, answer.status] = counter
        counter.inc()
        if self._limit in answer.headers:
            self._note_quota(answer, now)

    def note_failure(self, operation: Operation, error: WeighbridgeError) -> None:
        """Count what brought no usable answer. A status alone, such as 404, is none:
        the answers are counted by it."""
        if reason := _reason(error):
            failures = self._telemetry.registry_request_failures
            failures.labels(self._name, operation, reason).inc()

    def note_mismatch(self) -> None:
        """Content did not hash to the digest that it was asked by."""
        self._telemetry.integrity_errors.labels(self._name).inc()

    # Finding a metric by its labels takes longer than counting, and happens with every
    # request.

    @cached_property
    def _throttled_seconds(self) -> Counter:
        return self._telemetry.registry_throttled_seconds.labels(self._name)

    @cached_property
    def _durations(self) -> Histogram:
        return self._telemetry.registry_request_duration.labels(self._name)

    @cached_property
    def _response_bytes(self) -> Counter:
        return self._telemetry.registry_response_bytes.labels(self._name)

    def _costs(self) -> list[RequestCost]:
        costs = [self.cost]
        if (of_crawl := CRAWL_COST.get()) is not None:
            costs.append(of_crawl)
        if (of_job := JOB_COST.get()) is not None:
            costs.append(of_job)
        return costs

    def _note_quota(self, answer: RegistryAnswer, now: datetime) -> None:
        headers = answer.headers
        told = parse_rate_limit(
            headers.get(self._limit), headers.get(self._remaining), now
        )
        if told is None:
            return
        self.rate_limit = told
        limit = self._telemetry.registry_ratelimit_limit
        limit.labels(self._name).set(told.limit)
        if told.remaining is not None:
            remaining = self._telemetry.registry_ratelimit_remaining
            remaining.labels(self._name).set(told.remaining)
        if reset := _RESET.fullmatch(headers.get(self._reset)):
            # Seconds from now in the IETF's draft, Unix time at GitLab and GitHub.
            at = int(reset[1])
            is_time = at >= _FIRST_UNIX_TIME
            gauge = self._telemetry.registry_ratelimit_reset_timestamp
            gauge.labels(self._name).set(at if is_time else now.timestamp() + at)


def _status_class(status: int) -> str:
    return str(status) if status in _TOLD_APART else f"{status // 100}xx"


def _reason(error: WeighbridgeError) -> str:
    if isinstance(error, AuthError):
        return "auth"
    if isinstance(error, DocumentError):
        return "parse"
    return _REASONS.get(error.code, "http" if isinstance(error, TransportError) else "")


# A server that is silent for a whole deadline, or not there, is not asked five times
# while somebody waits; the next crawl asks again.
_FEWER_ATTEMPTS: Final = {"deadline": 1, "dns_error": 2, "connect_error": 3}
_PUT_OFF: Final = 3 * ATTEMPTS
"""Tries where the registry itself says when to come back: of many requests that come
back together some are refused again, and one would always be unlucky five times. How
long a crawl waits in all is bounded by the gate."""
_FIRST_BACK_OFF_S: Final = 0.5

Send: TypeAlias = Callable[[], Awaitable[RegistryAnswer]]
"""Sends a request once. Raises TransportError, RegistryError."""
OnAnswer: TypeAlias = Callable[[RegistryRequest, RegistryAnswer], None]


# What is half read is finished first: a kill costs all that is not. And a request that
# had its turn waits for its token.
_AHEAD: Final = frozenset(("config", "token"))


class Attempts(Struct):
    """How often one question was sent, with all tokens.

    is_ahead: it need not queue again behind those that came later
    """

    used: int = 0
    is_ahead: bool = False

    @classmethod
    def of(cls, operation: Operation) -> "Attempts":
        """None yet."""
        return cls(is_ahead=operation in _AHEAD)

    @property
    def rank(self) -> Rank:
        """Before whom it goes where it has to wait."""
        if IS_URGENT.get():
            return Rank.URGENT
        return Rank.AHEAD if self.is_ahead else Rank.ORDINARY


def is_worth_repeating(error: WeighbridgeError, attempt: int) -> bool:
    """Whether the same question may be asked once more after so many attempts."""
    is_put_off = isinstance(error, RateLimited) and error.retry_after is not None
    most = _PUT_OFF if is_put_off else _FEWER_ATTEMPTS.get(error.code, ATTEMPTS)
    if not error.retryable or attempt >= most:
        return False
    return error.retry_after is None or error.retry_after < RETRY_AFTER_MAX_S


class PacedExchange:
    """What all requests to one endpoint go through, whatever sends them: its gate, its
    counts, its pauses, and what its refusals mean.

    on_answer: told of every answer, refusals included
    words:     how registries of this kind refuse
    """

    def __init__(
        self,
        endpoint: Endpoint,
        telemetry: Telemetry,
        clock: Clock,
        on_answer: OnAnswer | None = None,
        words: RefusalWords = ORDINARY,
    ) -> None:
        self.counts = RequestCounts(telemetry, endpoint, words.told_limit)
        self._clock = clock
        self._gate = endpoint.gate or RateLimiter(
            concurrency=endpoint.concurrency,
            requests_per_second=endpoint.requests_per_second,
            clock=clock,
        )
        self._on_answer = on_answer
        self._words = words
        self._who = ANONYMOUS if endpoint.who is None else f"as {endpoint.who}"

    async def ask(
        self, question: RegistryRequest, attempts: Attempts, send: Send
    ) -> RegistryAnswer:
        """Send it until there is an answer or no hope. A 200, a 206, a 401 and what
        the question handles are answers. Raises TransportError, RegistryError."""
        while True:
            attempts.used += 1
            try:
                answer = await self._ask_once(question, attempts.rank, send)
                self._raise_refusal(question, answer)
                return answer
            except WeighbridgeError as error:
                if not isinstance(error, AuthError):  # whoever signs in counts those
                    self.counts.note_failure(question.operation, error)
                if not is_worth_repeating(error, attempts.used):
                    raise
                await self._back_off(error, attempts.used)
                attempts.is_ahead = True

    def refusal(
        self, question: RegistryRequest, answer: RegistryAnswer
    ) -> WeighbridgeError:
        """The error for an answer that whoever asked cannot use after all."""
        return refusal(question, answer, self._who, self._clock.now(), self._words)

    def _raise_refusal(self, question: RegistryRequest, answer: RegistryAnswer) -> None:
        if answer.status == 401:
            return
        error = find_refusal(
            question, answer, self._who, self._clock.now(), self._words
        )
        if isinstance(error, RateLimited):
            self.counts.note_throttled()
        if error is not None:
            raise error

    async def _ask_once(
        self, question: RegistryRequest, rank: Rank, send: Send
    ) -> RegistryAnswer:
        # A crawl is alive as long as its requests are, so that its id is its own.
        owner, on_wait = id(CRAWL_COST.get()), self.counts.note_wait
        async with self._gate.turn(rank, owner, on_wait):
            self.counts.note_request(question.operation)
            began = self._clock.monotonic()
            try:
                answer = await send()
            except TransportError as error:
                if error.retryable:
                    self._gate.saw(None)
                if error.code == "too_large":
                    self.counts.note_bytes(question.read_limit)
                raise
            finally:
                self.counts.note_duration(self._clock.monotonic() - began)
        self._gate.saw(answer.status, self._pause(answer))
        self._count(question, answer)
        if self._on_answer is not None:
            self._on_answer(question, answer)
        _check_end(question, answer)
        return answer

    def _pause(self, answer: RegistryAnswer) -> float | None:
        """A Retry-After is for everyone who asks this registry, whatever its status.
        An API that says that nothing is left need not be asked once more to hear it."""
        fields, is_refused = answer.headers, answer.status >= 400
        if not is_refused and REMAINING not in fields:
            return None  # Nearly all answers, and the clock need not be asked.
        now = self._clock.now()
        if is_refused:
            return wanted_wait(answer, now, self._words)
        return until_reset(fields, now)

    def _count(self, question: RegistryRequest, answer: RegistryAnswer) -> None:
        # Of a body that was cut at its budget, the budget at most was read.
        content = answer.content
        self.counts.note_bytes(question.read_limit if content is None else len(content))
        self.counts.note_answer(question.operation, answer, self._clock.now())

    async def _back_off(self, error: WeighbridgeError, attempt: int) -> None:
        """The pauses grow. Where the registry asked for a longer one, the gate keeps
        everyone away for so long; a shorter one does not shorten ours."""
        longest = _FIRST_BACK_OFF_S * 2 ** (min(attempt, ATTEMPTS - 1) - 1)
        wait = longest * (1 + self._clock.jitter()) / 2
        if wait <= (error.retry_after or 0.0):
            return
        self.counts.note_wait(wait)
        await self._clock.sleep(wait)


def _check_end(question: RegistryRequest, answer: RegistryAnswer) -> None:
    """Where the connection's end is the body's end, only JSON that closes shows that
    it is whole. Blobs prove it by their digest or length."""
    if answer.is_proven or answer.status != 200:
        return
    if question.is_of_blob or question.method == "HEAD":
        return
    try:
        parse_json(answer.content or b"")
    except DocumentError as exc:
        raise TransportError(
            "the answer ends in the middle, together with its connection",
            code="connection_reset",
        ) from exc


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
            home=endpoint.place,
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
