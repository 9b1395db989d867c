"""What the modules of tables share: column types, how our values travel to a database
and back, and the one collection of tables."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, SmallInteger, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from weighbridge.domain.image.digest import Digest, from_hex, from_raw, raw

LARGEST: Final = 2**63 - 1
"""The largest number that a column holds."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def bounded(number: int) -> int:
    """The number, or the largest that fits: sqlite3 raises OverflowError above it,
    and a stranger's claim must never stop a batch."""
    return min(number, LARGEST)


def bounded_if_known(number: int | None) -> int | None:
    """The same of a number that may not be known."""
    return None if number is None else bounded(number)


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(since_epoch: int) -> datetime:
    """The aware UTC time of `microseconds`."""
    return _EPOCH + timedelta(microseconds=since_epoch)


class Moment(TypeDecorator[datetime]):
    """An aware time, kept as microseconds since 1970: exact, sortable, 8 bytes."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> int | None:
        return None if value is None else microseconds(value)

    def process_result_value(
        self, value: int | None, dialect: Dialect
    ) -> datetime | None:
        return None if value is None else moment_of(value)


class DigestBytes(TypeDecorator[Digest]):
    """A digest, kept as its 32 or 64 bytes: half of what its text would take."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(
        self, value: Digest | None, dialect: Dialect
    ) -> bytes | None:
        return None if value is None else raw(value)

    def of_hex(self, text: str) -> Digest | None:
        """From SQLite's `hex()`, which is empty where there is nothing."""
        return from_hex(text.lower()) if text else None

    def process_result_value(
        self, value: bytes | None, dialect: Dialect
    ) -> Digest | None:
        return None if value is None else from_raw(value)


class Enumeration(TypeDecorator[str]):
    """One of a fixed list of words, kept as its place in the list.

    The list may grow at its end only: rows hold places.
    """

    impl = SmallInteger
    cache_ok = True

    def __init__(self, words: tuple[str, ...]) -> None:
        super().__init__()
        self.words = words
        self._places = {word: place for place, word in enumerate(words)}

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else self._places[value]

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else self.words[value]


def storable(text: str) -> str:
    """The text as every database takes it: half of a surrogate pair, as a command
    line or JSON may hold one, becomes a question mark, and NUL the replacement
    character, which PostgreSQL has no room for."""
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text.replace("\0", "\ufffd") if "\0" in text else text


class UTF8(TypeDecorator[str]):
    """Text of a stranger's, see `storable`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


# SQLite gives ids of its own only to a column of the type INTEGER.
Id: Final = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
