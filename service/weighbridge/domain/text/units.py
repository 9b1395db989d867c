"""Bytes, durations and percentages as people read and write them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

from weighbridge.domain.text.printable import printable
from weighbridge.errors import UsageError

_SI: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_IEC: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def format_bytes(n: int, *, iec: bool = False) -> str:
    """`1.08 GB`, or `1.01 GiB`: three significant digits, a space, the unit."""
    return " ".join(split_bytes(n, iec=iec))


def split_bytes(n: int, *, iec: bool = False) -> tuple[str, str]:
    """The number and the unit apart, for tables that align both.

    Rounded before the unit is chosen, so 999,600,000 is `1.00 GB` and never
    `1000 MB`. In IEC a unit runs to 1023.
    """
    if n < 0:
        number, unit = split_bytes(-n, iec=iec)
        return f"-{number}", unit
    step, names = (1024, _IEC) if iec else (1000, _SI)
    if n < step:
        return str(n), "B"
    for power, unit in enumerate(names[1:], start=1):
        for decimals in (2, 1, 0):
            digits = _rounded(n * 10**decimals, step**power)
            if digits < (step if decimals == 0 else 1000):
                return _with_point(digits, decimals), unit
    return str(_rounded(n, step ** (len(names) - 1))), names[-1]


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _with_point(digits: int, decimals: int) -> str:
    if decimals == 0:
        return str(digits)
    return f"{digits // 10**decimals}.{digits % 10**decimals:0{decimals}d}"


_STEPS: Final = ((1000, tuple(enumerate(_SI))), (1024, tuple(enumerate(_IEC))))
_UNITS: Final = {
    spelling: factor
    for step, names in _STEPS
    for factor, name in ((step**power, name) for power, name in names)
    # `Mb` is left out: it means megabits.
    for spelling in (name, name.lower(), name.upper())
}
_BYTES: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)", re.ASCII)


def _spellings(power: int) -> str:
    names = {names[power][1] for _, names in _STEPS}
    return "|".join(sorted({s for n in names for s in (n, n.lower(), n.upper())}))


def _amounts(power: int) -> str:
    """Of a unit: so many digits that no amount is too large, and none is nothing."""
    whole = rf"[1-9][0-9]{{0,{17 - 3 * power}}}(?:\.[0-9]{{1,9}})?"
    part = r"0\.(?:[1-9][0-9]?|0[1-9]|00[1-9])[0-9]{0,6}"
    return f"(?:{whole}|{part})" if power else whole


LIMIT_PATTERN: Final = "^(?:{})$".format(
    "|".join(f"{_amounts(n)} ?(?:{_spellings(n)})" for n in range(len(_SI)))
)
"""What `parse_limit_bytes` takes, without leading zeros and below an exabyte."""
LARGEST: Final = 2**63 - 1
"""What a column holds, and most readers of JSON."""


def parse_bytes(text: str) -> int:
    """`500MB`, `1.2GB` or `500MiB` in bytes; a part of a byte is dropped.

    Raises UsageError(invalid_bytes). A number without a unit is refused: whether
    it means bytes or megabytes is what people get wrong.
    """
    found = _BYTES.fullmatch(text)
    if found is None:
        raise _invalid_bytes(text, "write 500MB (500,000,000) or 500MiB (524,288,000)")
    number, unit = found.groups()
    if not unit:
        raise _invalid_bytes(text, f"needs a unit: {_both_units(number)}")
    if unit not in _UNITS:
        raise _invalid_bytes(text, _unit_hint(number, unit))
    amount = int(Fraction(number) * _UNITS[unit])
    if amount > LARGEST:
        raise _invalid_bytes(text, "is more than 8 EiB")
    return amount


def parse_limit_bytes(text: str) -> int:
    """The same of a limit on sizes, which is more than 0."""
    amount = parse_bytes(text)
    if amount == 0:
        raise UsageError(
            "an image weighs more than nothing",
            code="invalid_bytes",
            hint="write 500MB",
        )
    return amount


def written_bytes(n: int) -> str:
    """What `parse_bytes` reads as so many bytes, in as few characters as whole numbers
    of a unit allow: `400MB`, `500MiB`, `1500MB`."""
    units = ((name, step**power) for step, names in _STEPS for power, name in names)
    return min((f"{n // unit}{name}" for name, unit in units if n % unit == 0), key=len)


def _unit_hint(number: str, unit: str) -> str:
    if f"{unit}B" in _UNITS:
        return f"write {number}{unit}B"
    return f"units are {', '.join((*_SI, *_IEC[1:]))}"


def _both_units(number: str) -> str:
    decimal, binary = (int(Fraction(number) * step) for step in (1000**2, 1024**2))
    return f"{number}MB ({decimal:,}) or {number}MiB ({binary:,})"


def _invalid_bytes(text: str, hint: str) -> UsageError:
    return UsageError(
        f"{printable(text, 40)!r} is not a number of bytes",
        code="invalid_bytes",
        hint=hint,
    )


_SECONDS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION: Final = re.compile(
    "".join(f"(?:([0-9]{{1,9}}){unit})?" for unit in _SECONDS), re.ASCII
)
_LONGEST_S: Final = 100 * 366 * 86_400


def parse_duration(text: str) -> int:
    """`15m`, `1h`, `1d12h` or `2w` in seconds; `0s` is 0.

    Raises UsageError(invalid_duration), also beyond a hundred years.
    """
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise UsageError(
            f"{printable(text, 40)!r} is not a duration",
            code="invalid_duration",
            hint="write 90s, 15m, 1h, 1d12h or 2w",
        )
    seconds = sum(
        int(count) * unit
        for count, unit in zip(found.groups(), _SECONDS.values(), strict=True)
        if count is not None
    )
    if seconds > _LONGEST_S:
        raise UsageError(
            f"{text!r} is longer than a hundred years",
            code="invalid_duration",
            hint="write 90s, 15m, 1h, 1d12h or 2w",
        )
    return seconds


_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SINCE: Final = "write 90d, 2026-01-31 or 2026-01-31T12:00:00Z"


def parse_since(text: str, now: datetime) -> datetime:
    """The beginning of a day (`2026-01-31`), a moment with its zone (RFC 3339), or a
    time before now (`90d`); in UTC. Raises UsageError(invalid_since)."""
    try:
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if text[:1].isdigit() and "T" in text.upper():
            moment = datetime.fromisoformat(text.upper())
            if moment.tzinfo is None:
                raise ValueError(text)
            return moment.astimezone(UTC)
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError, UsageError) as exc:
        raise UsageError(
            f"{printable(text, 40)!r} is neither a duration, a day nor a moment",
            code="invalid_since",
            hint=_SINCE,
        ) from exc


def written_duration(seconds: int) -> str:
    """What `parse_duration` reads as so many seconds: `1h`, `1d12h`, `0s`."""
    text = ""
    for unit, length in _SECONDS.items():
        # Nobody counts in weeks what may be a month.
        if unit == "w":
            continue
        count, seconds = divmod(seconds, length)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def format_duration(seconds: float) -> str:
    """`0.41 s`, `8.7 s`, `206 s`, `12 min`, `2 h 11 min`, `3 d 4 h`."""
    if seconds < 0.995:
        return f"{max(seconds, 0.0):.2f} s" if seconds > 0 else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if seconds < 299.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def format_percent(part: float, whole: float) -> str:
    """The share with one decimal and no sign: `56.6`.

    Something that would round to nothing is `<0.1`; `0.0` is nothing.
    """
    if part == 0 or whole == 0:
        return "0.0"
    share = Decimal(part) * 100 / Decimal(whole)
    rounded = share.quantize(Decimal("0.1"), ROUND_HALF_UP)
    return str(rounded) if rounded else "<0.1"


_PERCENT: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,4})?) ?%", re.ASCII)


def parse_percent(text: str) -> float:
    """`25%` as 0.25. Raises UsageError(invalid_percent): a number without the sign is
    refused, because 25 and 0.25 are both written by people who mean a quarter."""
    found = _PERCENT.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{printable(text, 40)!r} is not a percentage",
            code="invalid_percent",
            hint="write 25% or 12.5%",
        )
    return float(Fraction(found[1]) / 100)
