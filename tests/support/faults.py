"""What can go wrong with one answer of a registry, as small values.

A `FaultProxy` does it; a `Plan` says when.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qs

Kind: TypeAlias = Literal["catalog", "tags", "manifest", "blob", "token", "other"]
Where: TypeAlias = Literal["before", "headers", "body"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that arrived at the proxy.

    number:  1 for the first of all
    attempt: 1 for the first of this method and target
    headers: names in lower case
    """

    number: int
    attempt: int
    method: str
    target: str
    kind: Kind
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its body is neither chunked nor cut."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def with_header(self, name: str, value: str) -> "Answer":
        """The same with this header, in place of others of its name."""
        kept = (h for h in self.headers if h[0].lower() != name.lower())
        return replace(self, headers=(*kept, (name, value)))


@dataclass(frozen=True, slots=True)
class Delay:
    """The answer begins so much later. Other faults may come on top."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drip:
    """The answer comes in pieces, one at a time."""

    piece_bytes: int = 1
    every_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends after so many bytes of head and body.

    after_bytes: None for a place that the plan's seed chooses for each request
    is_reset:    with RST, else with FIN
    """

    after_bytes: int | None = None
    is_reset: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """RST: before any byte, within the head, or within the body (where there is no
    body, after the head)."""

    where: Where = "before"


@dataclass(frozen=True, slots=True)
class Silence:
    """The request is taken and never answered; the connection stays open."""


@dataclass(frozen=True, slots=True)
class Instead:
    """Another answer; the registry is not asked."""

    answer: Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True)
class Altered:
    """The registry's answer, changed."""

    change: Callable[[Asked, Answer], Answer]


@dataclass(frozen=True, slots=True)
class Stray:
    """The registry's answer and a second one that nobody asked for."""

    answer: Answer
    after_s: float = 0.0


Fault: TypeAlias = Delay | Drip | Cut | Reset | Silence | Instead | Altered | Stray


def status(number: int, body: bytes = b"", **headers: str) -> Instead:
    """An answer with this status; `Retry_After="1"` is the header Retry-After."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    answer = Answer(number, named, body)
    return Instead(lambda _: answer)


def error(number: int, code: str) -> Instead:
    """An error as registries word it (distribution-spec, "Error Codes")."""
    body = b'{"errors":[{"code":"%s","message":"told so"}]}' % code.encode()
    return status(number, body, Content_Type="application/json")


def page_for_people(number: int) -> Instead:
    """What a load balancer says in place of the registry."""
    body = b"<html><body><h1>Be right back</h1></body></html>"
    return status(number, body, Content_Type="text/html")


def flipped_byte() -> Altered:
    """One bit of the body is another, at a place that depends on the body alone;
    a digest that the headers claim stays."""

    def change(asked: Asked, answer: Answer) -> Answer:
        if not answer.body:
            return answer
        body = bytearray(answer.body)
        place = int.from_bytes(hashlib.sha256(answer.body).digest()[:4], "big")
        body[place % len(body)] ^= 1
        return replace(answer, body=bytes(body))

    return Altered(change)


RetryAfter: TypeAlias = Literal["seconds", "date", "unix", "absurd"]
RETRY_AFTERS: Final[tuple[RetryAfter, ...]] = ("seconds", "date", "unix", "absurd")


def too_many_requests(
    form: RetryAfter,
    wait_s: int = 1,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Instead:
    """429 with a Retry-After of this form. The absurd one is three years: registries
    have been seen to ask for fifty."""

    def answer(asked: Asked) -> Answer:
        return Answer(429, (("Retry-After", _retry_after(form, wait_s, now())),))

    return Instead(answer)


def _retry_after(form: RetryAfter, wait_s: int, now: datetime) -> str:
    until = now + timedelta(seconds=wait_s)
    return {
        "seconds": str(wait_s),
        "date": format_datetime(until, usegmt=True),
        "unix": str(int(until.timestamp())),
        "absurd": str(100_000_000),
    }[form]


def listing_altered(change: Callable[[list[str]], list[str]]) -> Altered:
    """The names of a catalog or tag page, changed."""

    def changed(asked: Asked, answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        page = json.loads(answer.body)
        key = "repositories" if asked.kind == "catalog" else "tags"
        body = json.dumps(page | {key: change(page[key] or [])}).encode()
        return replace(answer, body=body)

    return Altered(changed)


def pages_of(length: int) -> Altered:
    """Tag listings in pages of this length, as newer registries make them: `last`
    says where the next one begins, `Link` where it is."""

    def paged(asked: Asked, answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        path, _, query = asked.target.partition("?")
        last = parse_qs(query).get("last", [""])[0]
        page = json.loads(answer.body)
        names = [name for name in sorted(page["tags"] or []) if name > last]
        shown = names[:length]
        cut = replace(answer, body=json.dumps(page | {"tags": shown}).encode())
        if len(names) <= length:
            return cut
        link = f'<{path}?n={length}&last={shown[-1]}>; rel="next"'
        return cut.with_header("Link", link)

    return Altered(paged)
