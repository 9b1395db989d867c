"""Digests: the identity of everything that a registry stores."""

import hashlib
import re
from typing import Final, NewType

from weighbridge.errors import DocumentError

Digest = NewType("Digest", str)
"""`algorithm:hex`, checked: sha256 or sha512, lower-case hex of the right length."""

# image-spec, descriptor.md, "Registered algorithms". Anything else, blake3
# included, is refused before it can become part of a URL.
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_MAKERS: Final = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}
_ALGORITHM_OF_LENGTH: Final = {64: "sha256", 128: "sha512"}


def is_digest(text: object) -> bool:
    """Whether this is a digest that we can verify."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def parse_digest(text: object) -> Digest:
    """A checked digest. Raises DocumentError(invalid_digest)."""
    if isinstance(text, str) and _DIGEST.fullmatch(text) is not None:
        return Digest(text)
    raise DocumentError(
        "a digest is not sha256 or sha512 in lower-case hex", code="invalid_digest"
    )


def digest_of(content: bytes, algorithm: str = "sha256") -> Digest:
    """The digest of these bytes by `sha256` or `sha512`."""
    return Digest(f"{algorithm}:{_MAKERS[algorithm](content).hexdigest()}")


def verify(content: bytes, wanted: Digest) -> None:
    """Raises DocumentError(digest_mismatch) if the bytes are not what was asked."""
    algorithm, _, _ = wanted.partition(":")
    if digest_of(content, algorithm) != wanted:
        raise DocumentError(
            f"the content does not hash to {wanted[:19]}…", code="digest_mismatch"
        )


def raw(digest: Digest) -> bytes:
    """The 32 or 64 bytes that a database keeps; their length is the algorithm."""
    # Both algorithms have names of six letters.
    return bytes.fromhex(digest[7:])


def from_raw(content: bytes) -> Digest:
    """The digest of `raw`'s bytes."""
    return from_hex(content.hex())


def from_hex(text: str) -> Digest:
    """The digest of these 64 or 128 lower-case digits."""
    return Digest(f"{_ALGORITHM_OF_LENGTH[len(text)]}:{text}")


def short(digest: Digest) -> str:
    """`sha256:` and 12 digits, for people."""
    algorithm, _, hexadecimal = digest.partition(":")
    return f"{algorithm}:{hexadecimal[:12]}"
