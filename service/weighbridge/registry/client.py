"""Asking one registry: paced, signed in, tried again, counted."""

from collections.abc import Callable
from typing import Final, Protocol

import httpx
from msgspec import Struct

from weighbridge import __version__
from weighbridge.domain.limits import (
    ATTEMPTS,
    ERROR_BODY_BYTES,
    REQUEST_DEADLINE_S,
    RETRY_AFTER_MAX_S,
)
from weighbridge.domain.text.secret import Secret
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import (
    AuthError,
    DocumentError,
    RateLimited,
    TransportError,
    WeighbridgeError,
)
from weighbridge.net.follow import Ask, follow
from weighbridge.net.http1.header_fields import Fields
from weighbridge.net.wire import address_of_request, fields_of
from weighbridge.ports.protocols import CRAWL_COST, IS_URGENT
from weighbridge.registry.auth.authorizer import Authorizer, Grant, TokenRequest
from weighbridge.registry.auth.token_answer import BearerToken
from weighbridge.registry.auth.token_server import TokenServer, TryToken
from weighbridge.registry.errors import rate_limit_reset
from weighbridge.registry.errors.refusals import (
    ANONYMOUS,
    ORDINARY,
    RefusalWords,
    asked_wait,
    find_refusal,
    refusal,
)
from weighbridge.registry.exchange.endpoint import Endpoint
from weighbridge.registry.exchange.registry_request import (
    JSON,
    RegistryAnswer,
    RegistryRequest,
)
from weighbridge.registry.exchange.request_counts import RequestCounts
from weighbridge.registry.pacing.clock import Clock
from weighbridge.registry.pacing.rate_limiter import RateLimiter
from weighbridge.registry.pacing.wait_order import Rank
from weighbridge.telemetry import Telemetry


class SignIn(Protocol):
    """How requests get their `Authorization`: see `auth.Authorizer`, the usual one."""

    async def grant(self, scope: str) -> Grant:
        """What to show with a first attempt."""

    async def answer_challenge(
        self, values: list[str], scope: str, refused: Grant
    ) -> Grant | None:
        """What to show after a 401, or None where that is final."""

    def renewed(self, grant: Grant) -> Grant:
        """The same, or what has replaced it meanwhile."""

    def note_accepted(self, grant: Grant) -> None:
        """A request that showed this was answered."""

    def note_over(self, grant: Grant) -> None:
        """The request that began with this has ended, whatever came of it."""

    async def aclose(self) -> None:
        """End what is under way."""


# A server that is silent for a whole deadline, or not there, is not asked five times
# while somebody waits; the next crawl asks again.
_FEWER_ATTEMPTS: Final = {"deadline": 1, "dns_error": 2, "connect_error": 3}
_PUT_OFF: Final = 3 * ATTEMPTS
"""Tries where the registry itself says when to come back: of many requests that come
back together some are refused again, and one would always be unlucky five times. How
long a crawl waits in all is bounded by the gate."""


def is_worth_repeating(error: WeighbridgeError, attempt: int) -> bool:
    """Whether the same question may be asked once more after so many attempts."""
    is_put_off = isinstance(error, RateLimited) and error.retry_after is not None
    most = _PUT_OFF if is_put_off else _FEWER_ATTEMPTS.get(error.code, ATTEMPTS)
    if not error.retryable or attempt >= most:
        return False
    return error.retry_after is None or error.retry_after < RETRY_AFTER_MAX_S


_FIRST_BACK_OFF_S: Final = 0.5
_RENEWALS: Final = 3
"""A token may end again while its request waits for its turn, but not for ever."""


class _Attempts(Struct):
    """How one question was sent, and how often, with all tokens.

    grant:    what it shows; after an answer: what it showed
    is_ahead: it need not queue again behind those that came later
    """

    grant: Grant
    used: int = 0
    is_ahead: bool = False

    @property
    def rank(self) -> Rank:
        """Before whom it goes where it has to wait."""
        if IS_URGENT.get():
            return Rank.URGENT
        return Rank.AHEAD if self.is_ahead else Rank.ORDINARY


class RegistryClient:
    """The one way from a question to its answer.

    `ask` waits at the gate, sends what the registry wants to see of us, follows
    redirects, answers a 401, tries again where the error says that this can help,
    and counts all of it.

    on_answer: told of every answer, refusals included
    words:     how registries of this kind refuse
    sign_in:   makes what stands in for token servers, from the way to ask for a token
    """

    def __init__(
        self,
        endpoint: Endpoint,
        transport: httpx.AsyncBaseTransport,
        telemetry: Telemetry,
        clock: Clock,
        *,
        on_answer: Callable[[RegistryRequest, RegistryAnswer], None] | None = None,
        sign_in: Callable[[TryToken], SignIn] | None = None,
        words: RefusalWords = ORDINARY,
    ) -> None:
        self.counts = RequestCounts(telemetry, endpoint)
        self._endpoint = endpoint
        self._home = endpoint.origin
        self._transport = transport
        self._clock = clock
        self._gate = endpoint.gate or RateLimiter(
            concurrency=endpoint.concurrency,
            requests_per_second=endpoint.requests_per_second,
            clock=clock,
        )
        self._on_answer = on_answer
        self._words = words
        self._authorizer: SignIn = (
            Authorizer(endpoint, self._fetch_token, clock)
            if sign_in is None
            else sign_in(self._try_token)
        )
        self._token_server = TokenServer(self._try_token, clock)
        contact = f" (+{endpoint.contact})" if endpoint.contact else ""
        self._user_agent = f"weighbridge/{__version__}{contact}"

    async def ask(self, question: RegistryRequest) -> RegistryAnswer:
        """The answer: 200, 206 or a status that the question handles.

        Raises TransportError, RegistryError.
        """
        try:
            return await self._ask_signed_in(question)
        except AuthError as error:
            self.counts.note_failure(question.operation, error)
            raise

    def refusal(
        self, question: RegistryRequest, answer: RegistryAnswer
    ) -> WeighbridgeError:
        """The error for an answer that whoever asked cannot use after all."""
        return refusal(question, answer, self._who, self._clock.now(), self._words)

    async def aclose(self) -> None:
        """End what is under way and close every connection."""
        await self._authorizer.aclose()
        await self._transport.aclose()

    @property
    def _who(self) -> str:
        credential = self._endpoint.credential
        return ANONYMOUS if credential is None else f"as {credential}"

    async def _ask_signed_in(self, question: RegistryRequest) -> RegistryAnswer:
        grant = await self._authorizer.grant(question.scope)
        try:
            return await self._ask_with(grant, question)
        finally:
            self._authorizer.note_over(grant)

    async def _ask_with(
        self, grant: Grant, question: RegistryRequest
    ) -> RegistryAnswer:
        # What is half read is finished first: a kill costs all that is not.
        is_ahead = question.operation == "config"
        attempts = _Attempts(grant, is_ahead=is_ahead)
        for _ in range(1 + _RENEWALS):
            answer = await self._try(question, attempts)
            if answer.status != 401:
                self._authorizer.note_accepted(attempts.grant)
                return answer
            values = answer.headers.get_list("www-authenticate")
            better = await self._authorizer.answer_challenge(
                values, question.scope, attempts.grant
            )
            if better is None:
                break
            attempts.grant, attempts.is_ahead = better, True
        raise self.refusal(question, answer)

    async def _try(
        self, question: RegistryRequest, attempts: _Attempts
    ) -> RegistryAnswer:
        """Send it until there is an answer (a 401 is one) or no hope."""
        while True:
            attempts.used += 1
            try:
                answer = await self._exchange(question, attempts)
                self._raise_refusal(question, answer)
                return answer
            except WeighbridgeError as error:
                if not isinstance(error, AuthError):  # `ask` counts those, once
                    self.counts.note_failure(question.operation, error)
                if not is_worth_repeating(error, attempts.used):
                    raise
                await self._back_off(error, attempts.used)
                attempts.is_ahead = True

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

    async def _exchange(
        self, question: RegistryRequest, attempts: _Attempts
    ) -> RegistryAnswer:
        # A crawl is alive as long as its requests are, so that its id is its own.
        owner, on_wait = id(CRAWL_COST.get()), self.counts.note_wait
        async with self._gate.turn(attempts.rank, owner, on_wait):
            # While it waited, another request may have found its token at its end.
            attempts.grant = self._authorizer.renewed(attempts.grant)
            ask = self._ask_of(question, attempts.grant.authorization)
            self.counts.note_request(question.operation)
            began = self._clock.monotonic()
            try:
                response = await follow(self._transport, ask)
            except TransportError as error:
                if error.retryable:
                    self._gate.saw(None)
                if error.code == "too_large":
                    self.counts.note_bytes(ask.body_limit)
                raise
            finally:
                self.counts.note_duration(self._clock.monotonic() - began)
        answer = await self._read(response)
        pause_s = _pause(answer, self._clock, self._words)
        self._gate.saw(answer.status, pause_s)
        # Of a body that was cut at its budget, the budget at most was read.
        unread = answer.content is None
        self.counts.note_bytes(ask.body_limit if unread else len(answer.content or b""))
        self.counts.note_answer(question.operation, answer, self._clock.now())
        if self._on_answer is not None:
            self._on_answer(question, answer)
        _check_end(question, answer)
        return answer

    async def _read(self, response: httpx.Response) -> RegistryAnswer:
        # An error's body that is too long has been emptied by `follow`.
        is_unread = "over_budget" in response.extensions and response.is_success
        return RegistryAnswer(
            status=response.status_code,
            headers=Fields(fields_of(response)),
            content=None if is_unread else await response.aread(),
            is_proven=response.extensions.get("framing") != "close",
            is_away=address_of_request(response.request).origin != self._home,
        )

    def _ask_of(self, question: RegistryRequest, authorization: Secret | None) -> Ask:
        headers = [("User-Agent", self._user_agent), ("Accept", question.accept)]
        if question.byte_range:
            headers.append(("Range", question.byte_range))
        body = b""
        if question.secret is not None:
            headers.append(("Content-Type", JSON))
            body = question.secret.reveal().encode()
        secret = [] if authorization is None else [authorization.reveal()]
        is_token = question.operation == "token"
        return Ask(
            method=question.method,
            url=question.url,
            headers=tuple(headers),
            secret_headers=tuple(("Authorization", value) for value in secret),
            # Room for an error's own words, where little is asked for.
            body_limit=max(question.body_limit, ERROR_BODY_BYTES),
            deadline_s=REQUEST_DEADLINE_S,
            ceiling=(
                self._endpoint.ceiling if question.ceiling is None else question.ceiling
            ),
            trusted_storage_hosts=(
                frozenset() if is_token else self._endpoint.trusted_storage_hosts
            ),
            follow_redirects=question.follow_redirects,
            body=body,
        )

    async def _back_off(self, error: WeighbridgeError, attempt: int) -> None:
        """The pauses grow. Where the registry asked for a longer one, the gate keeps
        everyone away for so long; a shorter one does not shorten ours."""
        longest = _FIRST_BACK_OFF_S * 2 ** (min(attempt, ATTEMPTS - 1) - 1)
        wait = longest * (1 + self._clock.jitter()) / 2
        if wait <= (error.retry_after or 0.0):
            return
        self.counts.note_wait(wait)
        await self._clock.sleep(wait)

    async def _fetch_token(self, request: TokenRequest) -> BearerToken:
        return await self._token_server.fetch(request)

    async def _try_token(
        self, question: RegistryRequest, authorization: Secret | None
    ) -> RegistryAnswer:
        attempts = _Attempts(Grant(authorization), is_ahead=True)
        return await self._try(question, attempts)


def _pause(answer: RegistryAnswer, clock: Clock, words: RefusalWords) -> float | None:
    """A Retry-After is for everyone who asks this registry, whatever its status. An
    API that says that nothing is left need not be asked once more to hear it."""
    is_refused = answer.status >= 400
    if not is_refused and rate_limit_reset.REMAINING not in answer.headers:
        return None  # Nearly all answers, and the clock need not be asked.
    now = clock.now()
    if is_refused and (wait := asked_wait(answer, now, words)) is not None:
        return wait
    return rate_limit_reset.until_reset(answer.headers, now)


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
