"""Builders of what the store answers: rows of the read model, and weighings.

A test states what it is about and leaves the rest to the defaults.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from support.images import GZIP_LAYER, OCI_INDEX, OCI_MANIFEST, a_digest
from weighbridge.domain.image.document import HistoryAlignment, Problem
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.report.inventory import (
    RegistryReport,
    RepositoryReport,
    TagReport,
)
from weighbridge.domain.size.confidence import CompressedConfidence, Uncompressed
from weighbridge.domain.size.weigh_image import weakest_word
from weighbridge.domain.size.weighing import (
    Other,
    WeighedImage,
    WeighedLayer,
    WeighedLine,
    Weighing,
)

NOW: Final = datetime(2026, 9, 22, 9, 40, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
ARM: Final = Platform("linux", "arm64")


def a_registry_report(name: str = "hub") -> RegistryReport:
    """A registry that was read to its end 12 minutes ago."""
    return RegistryReport(
        name=name,
        kind="distribution",
        url=f"https://{name}.example.com",
        state="ok",
        state_reason="",
        state_since=NOW - 20 * HOUR,
        last_discovery_at=NOW - 12 * MINUTE,
        last_success_at=NOW - 12 * MINUTE,
        oldest_crawl_at=NOW - 14 * MINUTE,
        interval_s=3600,
        storage_scope_kind="registry",
        repositories=4,
        repositories_pending=0,
        repository_states={
            "new": 0,
            "ok": 4,
            "partial": 0,
            "missing": 0,
            "unauthorized": 0,
            "unreachable": 0,
            "error": 0,
        },
        removals_held=0,
        repositories_held=0,
        tags=412,
        images=230,
        tags_failed=0,
        newest_compressed_bytes=4_330_802_380,
        referenced_bytes=91_204_118_330,
        weighed_bytes=48_118_330_114,
        deduplicated_bytes=32_871_204_118,
        shared_bytes=9_412_038_114,
        exclusive_bytes=23_459_166_004,
        repeated_bytes=0,
        requests=1640,
        bytes_read=3_384_211,
        rate_limit=None,
        rate_limit_remaining=None,
        rate_limit_window_s=None,
        rate_limit_seen_at=None,
    )


def a_repository_report(
    repository: str = "shop/api", registry: str = "hub"
) -> RepositoryReport:
    """A repository whose newest image is known in full."""
    return RepositoryReport(
        registry=registry,
        repository=repository,
        state="ok",
        state_reason="",
        state_since=NOW - 20 * HOUR,
        deleted_at=None,
        last_crawl_at=NOW - 12 * MINUTE,
        last_complete_crawl_at=NOW - 12 * MINUTE,
        interval_s=3600,
        tags=41,
        images=34,
        tags_failed=0,
        over_tags=0,
        newest_tag="1.5.0",
        newest_digest=a_digest((repository, "newest")),
        newest_platform="linux/amd64",
        newest_by="pushed",
        newest_at=NOW - 88 * MINUTE,
        newest_compressed_bytes=1_082_700_595,
        newest_compressed_confidence="known",
        newest_claimed_bytes=1_082_700_595,
        newest_uncompressed_bytes=2_581_729_792,
        newest_uncompressed_confidence="trailer",
        newest_layers=16,
        baseline_compressed_bytes=445_914_274,
        heaviest_instruction="RUN pip install --no-cache-dir torch==1.13.1",
        heaviest_compressed_bytes=612_408_377,
        largest_compressed_bytes=1_082_700_595,
        referenced_bytes=18_204_118_006,
        weighed_bytes=12_204_118_006,
        storage_scope=registry,
        deduplicated_bytes=3_419_500_120,
        shared_bytes=1_041_960_008,
        exclusive_bytes=2_377_540_112,
    )


def a_tag_report(name: str = "1.5.0") -> TagReport:
    """A tag of an index that was pushed and read."""
    return TagReport(
        name=name,
        digest=a_digest(("tag", name)),
        kind="index",
        platform="linux/amd64",
        platforms=2,
        compressed_bytes=470_267_166,
        compressed_confidence="known",
        claimed_bytes=470_267_166,
        uncompressed_bytes=1_184_000_000,
        uncompressed_confidence="trailer",
        layers=14,
        created_at=NOW - 30 * HOUR,
        first_seen_at=NOW - 29 * HOUR,
        moved_at=None,
        pushed_at=NOW - 30 * HOUR,
        deleted_at=None,
        error_code=None,
        error_message=None,
        error_at=None,
        over=(),
    )


def measured(uncompressed_bytes: int) -> Uncompressed:
    """What a gzip trailer says."""
    return Uncompressed(
        "trailer", uncompressed_bytes, uncompressed_bytes, uncompressed_bytes
    )


def unknown(reason: str = "zstd_without_size") -> Uncompressed:
    """A size that could not be had."""
    return Uncompressed("unknown", None, None, None, reason)


def a_weighed_layer(
    name: object,
    compressed_bytes: int,
    uncompressed: Uncompressed | None = None,
    *,
    is_foreign: bool = False,
    claimed_bytes: int | None = None,
    claim_reason: str = "",
) -> WeighedLayer:
    """One layer; the name decides its digest.

    claimed_bytes: what the manifest says, where the registry says otherwise
    claim_reason:  why the registry says nothing
    """
    word: CompressedConfidence = "known" if claimed_bytes is None else "disputed"
    return WeighedLayer(
        claimed_bytes=compressed_bytes if claimed_bytes is None else claimed_bytes,
        compressed_confidence="claimed" if claim_reason else word,
        claim_reason=claim_reason,
        digest=a_digest(name),
        media_type=GZIP_LAYER,
        compressed_bytes=compressed_bytes,
        is_foreign=is_foreign,
        uncompressed=uncompressed,
    )


def a_weighed_image(
    layers: Sequence[WeighedLayer],
    lines: Sequence[tuple[str, int | None]],
    *,
    platform: Platform = DEFAULT,
    uncompressed: Uncompressed | None = None,
    alignment: HistoryAlignment = "exact",
    problems: tuple[Problem, ...] = (),
) -> WeighedImage:
    """An image of these layers; a line is its text and the index of its layer."""
    distinct = {layer.digest: layer.compressed_bytes for layer in layers}
    sizes = [y.uncompressed.uncompressed_bytes for y in layers if y.uncompressed]
    total = sum(size for size in sizes if size is not None)
    return WeighedImage(
        platform=platform,
        digest=a_digest(("manifest", str(platform), len(layers))),
        media_type=OCI_MANIFEST,
        config_digest=a_digest(("config", str(platform))),
        created_at=datetime(2023, 1, 24, 0, 48, 44, tzinfo=UTC),
        compressed_bytes=sum(distinct.values()),
        claimed_bytes=sum({y.digest: y.claimed_bytes for y in layers}.values()),
        compressed_confidence=weakest_word(layers),
        uncompressed=uncompressed or measured(total),
        layers=tuple(layers),
        lines=tuple(_line(text, index, layers, alignment) for text, index in lines),
        history_alignment=alignment,
        problems=problems,
    )


def _line(
    text: str,
    index: int | None,
    layers: Sequence[WeighedLayer],
    alignment: HistoryAlignment,
) -> WeighedLine:
    if index is None:
        nothing = None if alignment == "unresolved" else 0
        return WeighedLine(text, None, None, nothing, nothing)
    layer = layers[index]
    size = layer.uncompressed.uncompressed_bytes if layer.uncompressed else None
    return WeighedLine(text, None, index, layer.compressed_bytes, size)


def a_weighing(
    *images: WeighedImage,
    repository: str = "library/python",
    tag: str | None = "3.7",
) -> Weighing:
    """One reference with these images, headline first."""
    return Weighing(
        reference=f"hub/{repository}:{tag}",
        registry="hub",
        repository=repository,
        tag=tag,
        digest=a_digest((repository, tag)),
        media_type=OCI_INDEX,
        kind="index",
        images=images,
        platforms=tuple(image.platform for image in images),
        others=(),
        cost=None,
    )


def python_3_7() -> Weighing:
    """python:3.7 of January 2023: 9 layers, 348 MB; its on-disk sizes are made up."""
    layers = [
        a_weighed_layer(("python", index), compressed, measured(uncompressed))
        for index, (_, compressed, uncompressed) in enumerate(_PYTHON)
    ]
    lines: list[tuple[str, int | None]] = []
    for index, (text, _, _) in enumerate(_PYTHON):
        lines.append((text, index))
        lines.extend((metadata, None) for metadata in _PYTHON_METADATA.get(index, ()))
    attestation = Other(a_digest("provenance"), OCI_MANIFEST, "attestation", 17_770_374)
    return replace(
        a_weighing(a_weighed_image(layers, lines)),
        platforms=(DEFAULT, ARM, Platform("linux", "arm", "v7")),
        others=(attestation,),
    )


_PYTHON: Final = (
    ("ADD file:917750a82b29f8f7cd37b1a8c2f5c2 in /", 55_025_206, 126_812_672),
    (
        "RUN set -eux; apt-get update; apt-get install -y --no-install-recommends "
        "ca-certificates curl netbase wget ; rm -rf /var/lib/apt/lists/*",
        5_163_370,
        10_612_224,
    ),
    (
        "RUN set -ex; if ! command -v gpg > /dev/null; then apt-get update; apt-get "
        "install -y --no-install-recommends gnupg dirmngr ; fi",
        10_876_737,
        19_981_824,
    ),
    (
        "RUN apt-get update && apt-get install -y --no-install-recommends git "
        "mercurial openssh-client subversion procps && rm -rf /var/lib/apt/lists/*",
        54_583_611,
        151_827_456,
    ),
    (
        "RUN set -ex; apt-get update; apt-get install -y --no-install-recommends "
        "autoconf automake bzip2 dpkg-dev file g++ gcc imagemagick libbz2-dev "
        "libc6-dev libcurl4-openssl-dev zlib1g-dev ; rm -rf /var/lib/apt/lists/*",
        196_877_237,
        529_254_912,
    ),
    (
        "RUN set -eux; apt-get update; apt-get install -y --no-install-recommends "
        "libbluetooth-dev tk-dev uuid-dev ; rm -rf /var/lib/apt/lists/*",
        6_291_002,
        18_186_240,
    ),
    (
        'RUN set -eux; savedAptMark="$(apt-mark showmanual)"; apt-get update; wget -O '
        'python.tar.xz "https://www.python.example/ftp/Python-$PYTHON_VERSION.tar.xz"',
        15_949_846,
        45_126_144,
    ),
    (
        "RUN set -eux; for src in idle3 pydoc3 python3 python3-config; do "
        'dst=${src%3}; ln -svT "$src" "/usr/local/bin/$dst"; done',
        235,
        5_120,
    ),
    (
        'RUN set -eux; wget -O get-pip.py "$PYTHON_GET_PIP_URL"; echo '
        '"$PYTHON_GET_PIP_SHA256 *get-pip.py" | sha256sum -c -; rm -f get-pip.py',
        2_886_092,
        10_543_104,
    ),
)
_PYTHON_METADATA: Final = {
    0: ('CMD ["bash"]',),
    4: ("ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin", "ENV LANG=C.UTF-8"),
    5: ("ENV GPG_KEY=0D96DF4D4110E5C43FBFB17F2D347EA6AA65421D",),
    6: ("ENV PYTHON_VERSION=3.7.16",),
    7: ("ENV PYTHON_PIP_VERSION=22.0.4", "ENV PYTHON_SETUPTOOLS_VERSION=57.5.0"),
    8: ('CMD ["python3"]',),
}
