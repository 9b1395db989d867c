"""One question to a registry and its answer, between the transport and the calls; and
what a registry means when it does not give what was asked for."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

from weighbridge.domain.limits import ERROR_BODY_BYTES
from weighbridge.domain.text.masking import mask
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.strict_json import parse_json
from weighbridge.errors import (
    AuthError,
    NotFound,
    RateLimited,
    RegistryError,
    WeighbridgeError,
)
from weighbridge.net.guard.addresses import redact_url
from weighbridge.net.http1.head import RETRY_AFTER, Fields, asked_wait, until_reset

Operation: TypeAlias = Literal[
    "ping",
    "token",
    "catalog",
    "tags",
    "bulk",
    "manifest_head",
    "manifest_get",
    "config",
    "blob_range",
    "blob_head",
]
"""What a request is for: the label of the metrics, and what answers are expected."""

Method: TypeAlias = Literal["GET", "HEAD", "POST"]

JSON: Final = "application/json"


class RegistryRequest(Struct, frozen=True):
    """What is asked, and what counts as its answer.

    scope:      what a token must allow, see `auth`; "" asks for none
    body_limit: bytes of a good answer; errors have a cap of their own
    byte_range: the value of `Range`, or ""
    handles:    statuses that whoever asks wants to see instead of an error
    """

    operation: Operation
    url: str
    scope: str
    body_limit: int
    method: Method = "GET"
    accept: str = JSON
    byte_range: str = ""
    handles: frozenset[int] = field(default_factory=frozenset)

    @property
    def read_limit(self) -> int:
        """Bytes of any answer: room for an error's own words, where little is asked
        for."""
        return max(self.body_limit, ERROR_BODY_BYTES)

    @property
    def is_of_blob(self) -> bool:
        """Whether a good answer is what somebody pushed, byte by byte."""
        return self.operation in ("config", "blob_range")


class RegistryAnswer(Struct, frozen=True):
    """What came back, read whole.

    content:   None where it was longer than `body_limit` and is not needed
    is_proven: whether the framing proves that it is whole; a body that ends with
               its connection does not
    is_away:   whether it comes from another origin than the registry's
    """

    status: int
    headers: Fields
    content: bytes | None
    is_proven: bool
    is_away: bool


ANONYMOUS: Final = "anonymous"

_READ_CHARACTERS: Final = 2048
_SHOWN_CHARACTERS: Final = 256
_CODE: Final = re.compile(r"[A-Z0-9_]{1,64}", re.ASCII)
_PASSING: Final = frozenset((408, 500, 502, 503, 504))
_UNKNOWN: Final[Mapping[str, str]] = {
    "NAME_UNKNOWN": "name_unknown",
    "MANIFEST_UNKNOWN": "manifest_unknown",
    "BLOB_UNKNOWN": "blob_unknown",
}
_TOO_MANY: Final = "TOOMANYREQUESTS"
_WORDS: Final = ("message", "detail")
"""Where APIs of vendors say it for people; the second is that of RFC 9457."""
_STATUSES: Final = {"UNAUTHORIZED": 401, "DENIED": 403} | dict.fromkeys(_UNKNOWN, 404)
"""What these codes mean, as a status."""


class RefusalWords(Struct, frozen=True):
    """How registries of one kind refuse, besides the specification.

    quota:        what such a text holds where a quota is spent that comes back over
                  hours: asking again in seconds is of no use, and counts as abuse
    quota_hint:   what whoever has spent it can do
    wait_headers: those that say how long to wait, in lower case
    limits:       what the text of a 403 holds, in lower case, where it means that too
                  much was asked
    limit_wait_s: seconds to wait where such an answer does not say how long
    sign_in:      what whoever is refused can do, "" where that is the same everywhere
    not_found:    what a 404 may mean as well
    told_limit:   how the names of the headers begin that tell a limit, in lower case
    """

    quota: str | None = None
    quota_hint: str = ""
    wait_headers: tuple[str, ...] = (RETRY_AFTER,)
    limits: tuple[str, ...] = ()
    limit_wait_s: float | None = None
    sign_in: str = ""
    not_found: str = ""
    told_limit: str = "ratelimit"


_NO_CATALOG: Final = (
    "it has no catalog for us: name the repositories in `repositories.include`, such as"
    " [team/app]"
)
ORDINARY: Final = RefusalWords()
"""Of a kind that says nothing of its own."""


class Said(Struct, frozen=True):
    """A registry's own words: its first code ("" for none) and printable text."""

    code: str = ""
    text: str = ""


def find_refusal(
    question: RegistryRequest,
    answer: RegistryAnswer,
    who: str,
    now: datetime,
    words: RefusalWords = ORDINARY,
) -> WeighbridgeError | None:
    """The error that this answer means, or None if it can be used.

    who:   as whom it was asked, for the message
    words: of this kind of registry
    """
    if answer.status in question.handles:
        return None
    if answer.status != 200 and not (answer.status == 206 and question.byte_range):
        return refusal(question, answer, who, now, words)
    if question.is_of_blob:
        return None  # not the registry's words
    if _is_page_for_people(answer):
        return RegistryError(
            f"{_asked(question, who)} was answered with a web page",
            code="not_a_registry",
            hint="check the address; a sign-in page or a proxy may stand before it",
        )
    if not _is_error_in_good_answer(answer):
        return None
    return refusal(question, answer, who, now, words)


def refusal(
    question: RegistryRequest,
    answer: RegistryAnswer,
    who: str,
    now: datetime,
    words: RefusalWords = ORDINARY,
) -> WeighbridgeError:
    """The error that this status means, whatever it is; of a 200 that holds an error
    only the code is left to go by."""
    said = _said(answer.content or b"")
    if question.operation == "token":
        said = Said(said.code)  # its bodies hold secrets
    told = _told(question, answer, who, said)
    is_good = answer.status == 200
    status = _STATUSES.get(said.code, 200) if is_good else answer.status
    if _is_limit(status, said, words):
        is_quota = words.quota is not None and words.quota in said.text
        hint = words.quota_hint if is_quota else "set `limits` for this registry lower"
        wait = asked_wait(answer.headers, now, words.wait_headers)
        if wait is None and words.limit_wait_s is not None:
            wait = wanted_wait(answer, now, words)
        return RateLimited(told, hint=hint, retryable=not is_quota, retry_after=wait)
    helps = words.sign_in or _sign_in(question, who)
    if status == 401:
        if who != ANONYMOUS and not is_good:
            told = f"the registry refused {who.removeprefix('as ')}: {told}"
        return AuthError(told, code="unauthorized", hint=helps)
    if status == 403:
        return AuthError(told, code="denied", hint=helps)
    if status == 404:
        code = _UNKNOWN.get(said.code, "not_found")
        has_none = question.operation == "catalog"
        return NotFound(
            told, code=code, hint=_NO_CATALOG if has_none else words.not_found
        )
    wait = asked_wait(answer.headers, now, words.wait_headers)
    return RegistryError(
        told,
        retryable=status in _PASSING,
        retry_after=None if is_good else wait,
    )


def wanted_wait(
    answer: RegistryAnswer, now: datetime, words: RefusalWords
) -> float | None:
    """Seconds until a refused question may be asked again, as far as the answer says
    it; None where it does not. All who ask this registry wait for so long."""
    wait = asked_wait(answer.headers, now, words.wait_headers)
    if wait is None:
        wait = until_reset(answer.headers, now)
    if wait is not None or words.limit_wait_s is None:
        return wait
    is_limit = _is_limit(answer.status, _said(answer.content or b""), words)
    return words.limit_wait_s if is_limit else None


def _is_limit(status: int, said: Said, words: RefusalWords) -> bool:
    if status == 429 or said.code == _TOO_MANY:
        return True
    text = said.text.lower()
    return status == 403 and any(word in text for word in words.limits)


def _is_page_for_people(answer: RegistryAnswer) -> bool:
    kind = answer.headers.get("content-type").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def _is_error_in_good_answer(answer: RegistryAnswer) -> bool:
    content = answer.content or b""
    if len(content) > ERROR_BODY_BYTES or b'"errors"' not in content:
        return False
    value = _parsed(content)
    if value is None or {"schemaVersion", "tags", "repositories"} & value.keys():
        return False
    return _said(content).code != ""


def _said(content: bytes) -> Said:
    """distribution-spec, "Error Codes"; anything else is cut down to a line."""
    content = content[:ERROR_BODY_BYTES]
    value = _parsed(content)
    if value is not None and isinstance(errors := value.get("errors"), list):
        first = errors[0] if errors else None
        if isinstance(first, dict):
            return Said(_code(first.get("code")), _shown(first.get("message")))
    words = [_shown(value.get(key)) for key in _WORDS] if value is not None else []
    if text := next(filter(None, words), ""):
        return Said(text=text)
    if content.lstrip().startswith(b"<"):
        return Said()  # a page for people says nothing in one line
    return Said(text=_shown(content.decode("utf-8", "replace")))


def _parsed(content: bytes) -> dict[str, object] | None:
    try:
        value = parse_json(content)
    except WeighbridgeError:
        return None
    return value if isinstance(value, dict) else None


def _code(code: object) -> str:
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _shown(text: object) -> str:
    if not isinstance(text, str):
        return ""
    # Masked before it is cut: half of a token is no known shape any more.
    return printable(mask(" ".join(text[:_READ_CHARACTERS].split())), _SHOWN_CHARACTERS)


def _told(
    question: RegistryRequest, answer: RegistryAnswer, who: str, said: Said
) -> str:
    words = " ".join(filter(None, (said.code, said.text)))
    told = f"{_asked(question, who)} was answered {answer.status}"
    return f"{told}: {words}" if words else told


def _asked(question: RegistryRequest, who: str) -> str:
    return f"{question.method} {redact_url(question.url)} ({who})"


def _sign_in(question: RegistryRequest, who: str) -> str:
    if who == ANONYMOUS:
        helps = "give `auth` for it, run `docker login`, or --user NAME"
    else:
        helps = "check the user name and password, and what this user may read"
    if question.operation == "catalog":
        helps += (
            "; where only the catalog is closed, name the repositories in"
            " `repositories`"
        )
    return helps
