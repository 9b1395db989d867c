"""Build secrets in history lines: every value that looks like one becomes `***`.

A Dockerfile that takes a token as a build argument writes it into the image's
history, where each pusher, and so each of our readers, can see it. This is the one
function that stands between that text and everything that is stored or shown. It
hides too much rather than too little.

Every pattern here takes time linear in the text, whatever the text is: what repeats
is either bounded or cannot start again inside its own match.
"""

import re
import string
from collections.abc import Iterator
from typing import Final

# `|2 A=x B=y /bin/sh -c make`: the classic builder puts the count first, BuildKit
# puts RUN before it (moby, daemon/builder/dockerfile/internals.go; buildkit,
# frontend/dockerfile/dockerfile2llb/convert.go).
BUILD_ARGUMENTS: Final = re.compile(r"\s*(?:RUN\s+)?\|([0-9]{1,4})\s+", re.ASCII)

SHELL: Final = re.compile(
    r"(?<!\S)(?:"
    # An absolute path: what SHELL or the default names. `RUN sh -c ...` is a
    # command that somebody wrote.
    r"/(?:[\w.+-]{1,64}/){0,8}(?:ba|da|a|z|k)?sh(?:\s+[-+\w]{1,24}){0,8}?\s+-\w{0,8}c"
    r"|cmd(?:\.exe)?(?:\s+/[A-Za-z](?::\w{1,8})?){1,6}"
    r"|(?:powershell|pwsh)(?:\.exe)?(?:\s+-?\w{1,40}){0,12}?\s+-[Cc]ommand"
    r")(?:\s+|\Z)",
    re.ASCII,
)

BARE_SHELL: Final = re.compile(
    r"(?<!\S)(?:ba|da|a|z|k)?sh(?:\s+[-+\w]{1,24}){0,8}?\s+-\w{0,8}c(?:\s+|\Z)",
    re.ASCII,
)
"""A shell that the path finds, as `SHELL ["bash", "-c"]` names it: only behind build
arguments, where nothing but a shell tells that their values have ended."""


MASK: Final = "***"

# Masking one secret may lay another one bare (a token glued to a token); this many
# rounds settle every text that is not written to need more.
_ROUNDS: Final = 8

_PRIVATE_KEY: Final = r"[A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"
# What each shape must hold, and the shape. Looking for the plain text first makes
# the usual line, which holds none of them, ten times cheaper.
_TOKEN_SHAPES: Final = {
    mark: re.compile(shape, re.ASCII)
    for mark, shape in (
        ("gh", r"gh[pousr]_[A-Za-z0-9]{16,}"),
        ("github_pat_", r"github_pat_\w{16,}"),
        ("gl", r"gl(?:pat|ptt|dt|rt|cbt|agent|soat|oas|imt|ffct|ft)-[\w-]{16,}"),
        ("AKIA", r"AKIA[A-Z0-9]{16}"),
        ("ASIA", r"ASIA[A-Z0-9]{16}"),
        ("wb", r"wb[ram]_[A-Za-z0-9_-]{43}"),  # our own
        ("whsec_", r"whsec_[A-Za-z0-9_+/=-]{24,}"),
        ("dckr_", r"dckr_(?:pat|oat)_[\w-]{16,}"),
        ("xox", r"xox[a-z]-[\w-]{8,}"),
        ("xapp-", r"xapp-[\w-]{16,}"),
        ("hooks.slack.com/", r"hooks\.slack\.com/services/[^\s\"']+"),
        ("npm_", r"npm_[A-Za-z0-9]{20,}"),
        ("pypi-", r"pypi-[\w-]{24,}"),
        ("AIza", r"AIza[\w-]{30,}"),  # Google
        ("k_live_", r"[rs]k_live_[A-Za-z0-9]{16,}"),  # Stripe
        ("sk-", r"(?<![A-Za-z0-9])sk-[\w-]{24,}"),
        ("hf_", r"hf_[A-Za-z0-9]{24,}"),  # Hugging Face
        ("hv", r"hv[sbr]\.[\w-]{20,}"),  # Vault
        ("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[A-Z0-9]{20,}"),
        ("eyJ", r"eyJ[\w-]{16,}(?:\.[\w-]*){0,4}"),  # JWT (RFC 7519): base64 of `{"`
        # RFC 7468. Without its end, everything behind the beginning is key.
        (
            "-----BEGIN ",
            rf"-----BEGIN {_PRIVATE_KEY}(?:(?s:.)*?-----END {_PRIVATE_KEY}|(?s:.)*)",
        ),
    )
}
_USERINFO: Final = re.compile(r"://[^\s/?#\"'<>]*@")
_SCHEME: Final = r"(?:(?:basic|bearer|token|digest)\s+)?"
_AUTHORIZATION: Final = re.compile(
    rf"((?<=\")authorization\s*:\s*{_SCHEME})[^\"]+"
    rf"|((?<=')authorization\s*:\s*{_SCHEME})[^']+"
    rf"|(authorization\s*[:=]\s*{_SCHEME})[^\s\"']+",
    re.ASCII | re.IGNORECASE,
)
_BEARER: Final = re.compile(r"(\bbearer\s+)[\w.~+/=-]{8,}", re.ASCII | re.IGNORECASE)
_USER_OPTION_START: Final = re.compile(r"-(?:u|-user|[A-Za-z#]{1,8}u )")
_USER_OPTION: Final = re.compile(
    r"((?<!\S)(?:(?:-u|--user)[ =]?|-[A-Za-z#]{1,8}u )"  # `curl -fsSLu user:...`
    r"[\"']?(?![0-9]+:[0-9]+\b)[^\s:\"']{1,128}:)[^\s\"']+"
)

_NAME_CHARACTERS: Final = 128
_NAME: Final = rf"[A-Za-z_][\w.-]{{0,{_NAME_CHARACTERS - 1}}}+"
# The patterns for names begin where a word does, its dashes included.
_WORD_CHARACTERS: Final = frozenset(string.ascii_letters + string.digits + "_.-")
_BEHIND_WORD: Final = re.compile(r"[^\w.-]", re.ASCII)
_NAMED: Final = re.compile(
    rf"(?<![\w.-])-{{0,2}}({_NAME})\\?[\"']?\s*\+?[=:]\s*", re.ASCII
)
# Also as an exec form has it: `["--password","x"]`, in a history often without comma.
_OPTION: Final = re.compile(
    rf"(?<![\w.-])--?({_NAME})(?:\s+(?!-)|[\"']\s*,?\s*(?=[\"'][^-]))", re.ASCII
)
# A value that opens a quote ends with it; a bare one ends where a shell's word may,
# and at a quote, which then closes what the name stands in. `$'x'` is bash's quote.
_VALUE: Final = re.compile(
    r"\$?\"(?:[^\"\\]+|\\(?s:.))*(?:\"|\Z)|\$?'[^']*(?:'|\Z)"
    r"|(?:\\(?s:.)|[^\s\"'\\;&|<>])+"
)
# `$TOKEN` and `$(cat /run/secrets/token)` are how it is done right: nothing to hide.
_REFERENCE: Final = re.compile(
    r"[\"']?(?:\$\w{1,128}|\$\{\w{1,128}\})[\"']?(?![^\s;&|)\"'])|[\"']?(?:\$\(|`)",
    re.ASCII,
)
_ASSIGNMENTS: Final = re.compile(
    r"\s*(?:[^#]{0,200}#\(nop\)\s*)?(?:ENV|ARG|LABEL)\s+", re.ASCII
)
_ASSIGNED: Final = re.compile(rf"(?<!\S)[\"']?({_NAME})[\"']?=", re.ASCII)
_ARGUMENT: Final = re.compile(rf"{_NAME}=\S*(?:\s+|\Z)", re.ASCII)
_OLD_FORM: Final = re.compile(rf"({_NAME})\s+(?=\S)", re.ASCII)

_SECRET_NAME: Final = re.compile(
    r"passw|passphrase|secret|token(?!iz)|credential|(?:store|key)pass$"
    r"|(?:api|access|private|auth|account|signing|encryption|master)[-_.]?key",
    re.IGNORECASE,
)
_MAYBE_SECRET_NAME: Final = re.compile(
    r"(?:^|[-_.])key(?:[-_.]|$)|(?:^|[-_.])(?:pass|auth|jwt|dsn|sig)$"
    r"|[-_](?:pwd|pat|signature)$",
    re.IGNORECASE,
)
# Fingerprints of the keys that sign a download are public, and worth reading.
_PUBLIC_NAME: Final = re.compile(
    r"(?:^|[-_.])(?:gpg|pgp|public|pub|recv|apt)(?:[-_.]|$)", re.IGNORECASE
)
_NAMES_A_PLACE: Final = re.compile(r"[-_.](?:file|path|stdin)$", re.IGNORECASE)
_MASKED_ALREADY: Final = (f"{MASK},", f"{MASK}}}", f"{MASK}]")
# One of these is in every name that is looked for. Most texts have none, and the words
# that have one are few: only there are the patterns tried.
_HINT: Final = re.compile("pass|secret|token|cred|key|pwd|auth|[-_]pat|jwt|dsn|sig")
_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def mask(text: str) -> str:
    """The text with secrets replaced by `***`; masking it again changes nothing.

    Masked are: all values of build arguments in a `|2 A=x B=y` prefix; values of
    assignments, headers and options whose name looks secret; user names and
    passwords in URLs; what has the shape of a known token or private key.
    """
    for _ in range(_ROUNDS):
        masked = _masked_once(text)
        if masked == text:
            break
        text = masked
    return text


def is_secret_name(name: str) -> bool:
    """Whether what a variable, option or header of this name holds is hidden."""
    if _NAMES_A_PLACE.search(name):
        return False
    if _SECRET_NAME.search(name):
        return True
    return bool(_MAYBE_SECRET_NAME.search(name)) and not _PUBLIC_NAME.search(name)


def _masked_once(text: str) -> str:
    if "|" in text:
        text = _mask_build_arguments(text)
    if "://" in text:
        text = _USERINFO.sub(f"://{MASK}@", text)
    for mark, shape in _TOKEN_SHAPES.items():
        if mark in text:
            text = shape.sub(MASK, text)
    if _USER_OPTION_START.search(text):
        text = _USER_OPTION.sub(rf"\g<1>{MASK}", text)
    lowered = _lowered(text)
    if "authorization" in lowered:
        text = _AUTHORIZATION.sub(_mask_behind_the_name, text)
    if "bearer" in lowered:
        text = _BEARER.sub(rf"\g<1>{MASK}", text)
    return _mask_named(text)


def _mask_named(text: str) -> str:
    """Masks values by the names that they are given."""
    words = list(_hinted_words(text))
    if not words:
        return text
    masked = _mask_assignments(text)
    for names in (_NAMED, _OPTION):
        if masked != text:
            text, words = masked, list(_hinted_words(masked))
        masked = _mask_values(text, words, names)
    return masked


def _lowered(text: str) -> str:
    """In lower case as far as it is ASCII, every character in its place."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def _mask_build_arguments(text: str) -> str:
    """`|1 A=x /bin/sh -c ...` as `|1 A=*** /bin/sh -c ...`.

    Values are written without quotes, so only the shell behind them tells where the
    last one ends; in the exec form there is none, and each value is one word.
    """
    prefix = BUILD_ARGUMENTS.match(text)
    if prefix is None:
        return text
    count = int(prefix[1])
    shell = SHELL.search(text, prefix.end()) or BARE_SHELL.search(text, prefix.end())
    if shell is not None:
        arguments, rest = text[prefix.end() : shell.start()], text[shell.start() :]
    else:
        end = _end_of_words(text, prefix.end(), count)
        arguments, rest = text[prefix.end() : end], text[end:]
    names = [found[1] for found in _ASSIGNED.finditer(arguments)][:count]
    shown = " ".join(f"{name}={MASK}" for name in names)
    return text[: prefix.end()] + shown + (" " if shown else "") + rest.lstrip()


def _end_of_words(text: str, start: int, count: int) -> int:
    for _ in range(count):
        found = _ARGUMENT.match(text, start)
        if found is None:
            break
        start = found.end()
    return start


def _mask_behind_the_name(found: re.Match[str]) -> str:
    return f"{found[found.lastindex or 0]}{MASK}"


def _mask_assignments(text: str) -> str:
    """`ENV A=x y B=z`, whose values may hold spaces, and the old `ENV A x y`."""
    start = _ASSIGNMENTS.match(text)
    if start is None:
        return text
    pairs = list(_ASSIGNED.finditer(text, start.end()))
    if not pairs or pairs[0].start() != start.end():
        old = _OLD_FORM.match(text, start.end())
        hidden = old is not None and is_secret_name(old[1])
        return f"{text[: old.end()]}{MASK}" if old and hidden else text
    parts = [text[: start.end()]]
    ends = [pair.start() for pair in pairs[1:]] + [len(text)]
    for pair, end in zip(pairs, ends, strict=True):
        value = text[pair.end() : end]
        bare = value.rstrip()
        parts.append(pair[0])
        if bare and is_secret_name(pair[1]) and not _REFERENCE.fullmatch(bare):
            parts.append(MASK + value[len(bare) :])
        else:
            parts.append(value)
    return "".join(parts)


def _mask_values(text: str, words: list[int], names: re.Pattern[str]) -> str:
    """Masks what stands behind each name that looks secret and that `names` finds at
    one of `words`."""
    parts = []
    done = 0
    for start in words:
        if start < done:
            continue
        found = names.match(text, start)
        if found is None or not is_secret_name(found[1]):
            continue
        at = found.end()
        if _REFERENCE.match(text, at) or text.startswith(_MASKED_ALREADY, at):
            continue
        end = _end_of_value(text, found)
        if end > at:
            parts += [text[done:at], MASK]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def _hinted_words(text: str) -> Iterator[int]:
    """Where the words begin that may be, or hold, the name of a secret."""
    lowered = _lowered(text)
    end = 0
    while hint := _HINT.search(lowered, end):
        start = hint.start()
        # Two dashes and a name; what begins earlier is too long for any pattern.
        floor = max(end, start - _NAME_CHARACTERS - 2)
        while start > floor and text[start - 1] in _WORD_CHARACTERS:
            start -= 1
        if start > floor or floor == end:
            yield start
        behind = _BEHIND_WORD.search(text, hint.end())
        end = len(text) if behind is None else behind.start()


def _end_of_value(text: str, found: re.Match[str]) -> int:
    before = text[found.start() - 1 : found.start()]
    if before in ("'", '"') and before not in found[0]:
        # `-H "X-Token: a b"`: name and value share the quotes.
        closing = text.find(before, found.end())
        return len(text) if closing < 0 else closing
    value = _VALUE.match(text, found.end())
    return found.end() if value is None else value.end()
