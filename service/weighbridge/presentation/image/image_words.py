"""Words for what the numbers do not say: reasons, kinds, what a line does, bounds."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.image.platform import Platform
from weighbridge.domain.size.confidence import Uncompressed
from weighbridge.domain.size.weighing import WeighedImage
from weighbridge.domain.text.printable import printable
from weighbridge.domain.text.units import format_bytes, format_percent
from weighbridge.presentation.forms.phrases import plural

_REASONS: Final = {
    "ambiguous_isize": ("could have several sizes", "could have several sizes"),
    "bad_content_range": (
        "was answered with another range than asked for",
        "were answered with other ranges than asked for",
    ),
    "blob_unknown": ("is not in the registry", "are not in the registry"),
    "corrupt_gzip": ("is a damaged gzip file", "are damaged gzip files"),
    "corrupt_zstd": ("is a damaged zstd file", "are damaged zstd files"),
    "deadline": (
        "could not be measured in time",
        "could not be measured in time",
    ),
    "empty_blob": ("is empty, which no layer can be",) * 2,
    "encrypted": ("is encrypted", "are encrypted"),
    "foreign": ("is not stored in this registry", "are not stored in this registry"),
    "format_mismatch": (
        "is not of the format that its media type names",
        "are not of the format that their media types name",
    ),
    "implausible_isize": (
        "has a gzip trailer that cannot be true",
        "have gzip trailers that cannot be true",
    ),
    "implausible_zstd_size": (
        "is a zstd frame whose stated size cannot be true",
        "are zstd frames whose stated sizes cannot be true",
    ),
    "multi_frame": (
        "is a zstd file of several frames",
        "are zstd files of several frames",
    ),
    "multi_member": (
        "is a gzip file of several members",
        "are gzip files of several members",
    ),
    "not_asked": ("has not been asked for", "have not been asked for"),
    "not_found": ("is not in the registry", "are not in the registry"),
    "not_measured": ("is not measured yet", "are not measured yet"),
    "range_not_satisfiable": (
        "is shorter than its manifest says",
        "are shorter than their manifests say",
    ),
    "range_unsupported": (
        "could not be measured: the registry serves no ranges",
        "could not be measured: the registry serves no ranges",
    ),
    "rate_limited": (
        "could not be measured: the registry asks us to come back later",
        "could not be measured: the registry asks us to come back later",
    ),
    "too_large": (
        "unpacks to more than is read",
        "unpack to more than is read",
    ),
    "unseen_frames": (
        "is a zstd file that may have frames after the one that was read",
        "are zstd files that may have frames after the one that was read",
    ),
    "zstd_without_size": (
        "is a zstd frame that does not state its size",
        "are zstd frames that do not state their size",
    ),
}
"""By code: of one layer, of several."""

_ARTIFACTS: Final = (
    ("application/vnd.cncf.helm.", "a Helm chart"),
    ("application/vnd.cncf.flux.", "a Flux artifact"),
    ("application/vnd.in-toto", "an attestation"),
    ("application/vnd.dev.cosign.artifact.sbom", "an SBOM"),
    ("application/vnd.dev.cosign.", "a cosign signature"),
    ("application/vnd.dev.sigstore.", "a sigstore signature"),
    ("application/vnd.cncf.notary.", "a Notary signature"),
    ("application/vnd.cyclonedx", "an SBOM"),
    ("application/spdx", "an SBOM"),
    ("text/spdx", "an SBOM"),
    ("application/vnd.wasm.", "a WebAssembly module"),
    ("application/vnd.buildkit.cacheconfig", "a build cache"),
    ("application/vnd.ollama.", "a model"),
    ("application/vnd.docker.ai.", "a model"),
)

_INSTALLERS: Final = tuple(
    (re.compile(rf"\b{pattern}\b(.*?)(?:&&|;|\|\||$)"), words)
    for pattern, words in (
        (r"apt(?:-get)?\s+(?:-\S+\s+)*install", "packages by apt-get"),
        (r"apk\s+(?:-\S+\s+)*add", "packages by apk"),
        (r"(?:micro)?dnf\s+(?:-\S+\s+)*install", "packages by dnf"),
        (r"yum\s+(?:-\S+\s+)*install", "packages by yum"),
        (r"(?:uv\s+)?pip[0-9.]*\s+install", "Python packages"),
        (r"uv\s+sync", "Python packages"),
        (r"npm\s+(?:ci|install|i)", "Node packages"),
        (r"(?:yarn|pnpm)\s+(?:add|install)", "Node packages"),
        (r"gem\s+install|bundle\s+install", "Ruby packages"),
        (r"(?:curl|wget)", "a download"),
    )
)
_PACKAGE: Final = re.compile(r"[A-Za-z0-9][\w.+:=<>~!@/*-]*", re.ASCII)
_NAMED: Final = 3


def what_it_does(instruction: str) -> str:
    """What made a line heavy, in a few words; the instruction itself otherwise."""
    keyword, _, rest = instruction.partition(" ")
    if keyword == "RUN":
        for pattern, words in _INSTALLERS:
            if (found := pattern.search(rest)) is not None:
                names = _packages(found[1])
                return words if words == "a download" else f"{words}{names}"
    if keyword in ("ADD", "COPY") and rest.startswith("file:"):
        is_root = rest.endswith(" in /")
        return "a root file system" if is_root else "a file of the build context"
    start = instruction.split(" ")[:8]
    return " ".join(start) + (" …" if len(start) == 8 else "")


def why_unknown(image: WeighedImage) -> str:
    """Why an image has no uncompressed size: `3 layers are zstd frames that ...`."""
    reasons = Counter(
        reason_of(layer.uncompressed)
        for layer in image.layers
        if layer.uncompressed is None or layer.uncompressed.confidence == "unknown"
    )
    return ", ".join(
        f"{plural(count, 'layer')} {reason_words(reason, count)}"
        for reason, count in reasons.most_common()
    )


def whose_word(image: WeighedImage, *, iec: bool = False) -> str:
    """` (the manifest says 1 B)` behind a compressed size that the registry knows
    otherwise, ` (not confirmed by the registry)` behind one that it does not; else "".
    """
    if image.compressed_confidence == "claimed":
        return " (not confirmed by the registry)"
    if image.compressed_confidence == "disputed":
        return f" (the manifest says {format_bytes(image.claimed_bytes, iec=iec)})"
    return ""


def reason_of(size: Uncompressed | None) -> str:
    """The code of why a size is not better known."""
    return "not_measured" if size is None else size.reason or "not_measured"


def reason_words(code: str, count: int = 1) -> str:
    """What a code says about one layer or several."""
    plain = f"could not be measured: {code.replace('_', ' ')}"
    one, several = _REASONS.get(code, (plain, plain))
    return one if count == 1 else several


def artifact_words(media_type: str, role: str) -> str:
    """What an artifact is: `a Helm chart`, or its own type."""
    for prefix, words in _ARTIFACTS:
        if media_type.startswith(prefix):
            return words
    return "an attestation" if role == "attestation" else f"an artifact ({media_type})"


def other_platforms(all_of: Iterable[Platform], shown: Iterable[Platform]) -> list[str]:
    """The platforms that are listed but not shown."""
    known = set(shown)
    return [str(platform) for platform in all_of if platform not in known]


def _packages(text: str) -> str:
    """` (git, openssh-client and 12 more)` of an installer's arguments."""
    names = [
        word
        for word in text.replace("\\", " ").split()
        if not word.startswith("-") and _PACKAGE.fullmatch(word)
    ]
    if not names:
        return ""
    more = len(names) - _NAMED
    listed = ", ".join(names[:_NAMED])
    return f" ({listed} and {more} more)" if more > 0 else f" ({listed})"


_TELLING: Final = 100
"""Nothing but zeros shrinks to a hundredth, though gzip allows a thousandth."""


def bounds_in_words(
    size: Uncompressed, compressed_bytes: int, *, iec: bool = False
) -> str:
    """`1.50 GB to 2.10 GB`, `at least 8.15 GB`, or "".

    A low bound below what is compressed says nothing, as tar files hardly grow by
    being compressed; nor does a high bound that only the format sets.
    """
    low, high = size.low_bytes, size.high_bytes
    least = "" if low is None or low < compressed_bytes else format_bytes(low, iec=iec)
    most = (
        ""
        if high is None or high > _TELLING * compressed_bytes
        else format_bytes(high, iec=iec)
    )
    if least and most:
        return f"{least} to {most}"
    return f"at least {least}" if least else f"at most {most}" if most else ""


def least_bytes(image: WeighedImage) -> int:
    """What the image has on disk at the least: its total, or the known layers."""
    if image.uncompressed.uncompressed_bytes is not None:
        return image.uncompressed.uncompressed_bytes
    return sum(
        layer.uncompressed.low_bytes or 0 if layer.uncompressed else 0
        for layer in image.layers
    )


def base_words(image: WeighedImage, *, iec: bool) -> str:
    """What an image stands on and how much of it that is: `on python:3.7 (9 layers,
    348 MB, 32.1 %)`; "" where that is not known."""
    base = image.base
    if base is None:
        return ""
    name = printable(name_in_from(base.reference))
    if base.layers is None or base.compressed_bytes is None:
        return f"on {name}, as its annotation says and no layer that is known"
    share = format_percent(base.compressed_bytes, image.compressed_bytes)
    part = (
        f"{plural(base.layers, 'layer')}, "
        f"{format_bytes(base.compressed_bytes, iec=iec)}, {share} %"
    )
    if base.relation == "relative":
        return f"shares a base with {name} ({part})"
    return f"on {name} ({part})"
