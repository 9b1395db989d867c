"""What a registry served, compared with what was asked for."""

from typing import Final

from weighbridge.domain.image.digest import Digest, digest_of, is_digest, verify
from weighbridge.errors import DocumentError, TransportError, WeighbridgeError
from weighbridge.ports.protocols import ManifestAnswer
from weighbridge.registry.exchange.registry_request import (
    RegistryAnswer,
    RegistryRequest,
)
from weighbridge.registry.kinds.distribution.content_range import bad_content_range

DIGEST_HEADER: Final = "docker-content-digest"
_CLAIM_CHARACTERS: Final = 136
"""`sha512:` and its digits; a longer claim is no digest."""


def manifest_answer(answer: RegistryAnswer, wanted: Digest | None) -> ManifestAnswer:
    """A manifest, which is `wanted` where it was asked for by digest.

    Raises DocumentError(digest_mismatch).
    """
    content = answer.content or b""
    if wanted is not None:
        verify(content, wanted)
    return ManifestAnswer(
        content=content,
        content_type=answer.headers.get("content-type"),
        digest=digest_of(content) if wanted is None else wanted,
        claimed_digest=_claim(answer),
    )


def contradicted(found: ManifestAnswer) -> Digest | None:
    """The digest that the registry calls this manifest by, where it is another than
    its content has."""
    claim = found.claimed_digest
    if claim == found.digest or not is_digest(claim):
        return None
    computed = digest_of(found.content, claim.partition(":")[0])
    return None if claim == computed else Digest(claim)


def altered(digest: Digest) -> DocumentError:
    """The error for bytes that changed on their way."""
    return DocumentError(
        f"the registry serves other bytes than those of {digest[:19]}…",
        code="digest_mismatch",
    )


def exactly(answer: RegistryAnswer, digest: Digest, content_bytes: int) -> bytes:
    """A whole blob. Raises DocumentError(size_mismatch, digest_mismatch)."""
    content = answer.content or b""
    if len(content) != content_bytes:
        raise _size_mismatch(content_bytes)
    verify(content, digest)
    return content


def too_large(question: RegistryRequest, exc: TransportError) -> WeighbridgeError:
    """What it means that a body did not end where it should."""
    if question.operation == "config":
        return _size_mismatch(question.body_limit)
    if question.operation == "blob_range":
        return bad_content_range("it is longer than what was asked for")
    return DocumentError(exc.message, code="too_large")


def _claim(answer: RegistryAnswer) -> str:
    claim = answer.headers.get(DIGEST_HEADER)
    return claim if is_digest(claim) else ascii(claim[:_CLAIM_CHARACTERS])[1:-1]


def _size_mismatch(content_bytes: int) -> DocumentError:
    return DocumentError(
        f"the registry serves another length than the {content_bytes} bytes that the"
        " manifest says",
        code="size_mismatch",
    )
