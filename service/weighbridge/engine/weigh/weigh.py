"""Weighs one reference straight from its registry: no store, no configuration."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeVar

from msgspec.structs import replace

from weighbridge.domain import limits
from weighbridge.domain.base.own_word import base_by_itself
from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    REFERENCE_DIGEST,
    Artifact,
    Child,
    Image,
    Index,
    Layer,
    Manifest,
    ParsedManifest,
    Unweighable,
)
from weighbridge.domain.image.manifest import parse_manifest
from weighbridge.domain.image.platform import (
    UNKNOWN,
    ListedImage,
    Platform,
    choose,
    differ,
    matches,
    reference_platform,
)
from weighbridge.domain.image.reference import Reference
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.domain.size.weigh_image import weigh_image
from weighbridge.domain.size.weighing import (
    Other,
    Weighing,
    WeighingCost,
    doubts_of,
    other_platform_text,
    second_text,
    unseen,
)
from weighbridge.domain.text.nearest import nearest
from weighbridge.domain.text.units import format_bytes, written_duration
from weighbridge.engine.documents.document_reader import Reader
from weighbridge.engine.documents.reading import KnownDigests, kept_bytes, nothing_known
from weighbridge.engine.measure.one_layer import measure_blob
from weighbridge.engine.tasks.side_by_side import together
from weighbridge.engine.weigh.explore import IndexContents
from weighbridge.errors import (
    DocumentError,
    NotFound,
    RegistryError,
    TransportError,
    WeighbridgeError,
)
from weighbridge.ports.protocols import Registry

Done = TypeVar("Done")

TIMEOUT_S: Final = 300
"""A slow registry cannot hold a job of CI for ever."""
OUT_OF_TIME: Final = "out_of_time"


async def within(seconds: int, work: Awaitable[Done]) -> Done:
    """What the work returns. Raises TransportError(out_of_time) once its time is up:
    what was learned until then is dropped, as half an image is no image."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as exc:
        raise TransportError(
            f"not everything was answered within {written_duration(seconds)}",
            code=OUT_OF_TIME,
            hint="again later, or allow more time: --timeout 15m",
            retryable=False,
        ) from exc


Measure: TypeAlias = Callable[[str, Layer], Awaitable[MeasuredBlob]]
"""Asks for one layer of a repository; raises as `measure_blob` does."""

_NAMES_COMPARED: Final = 10_000
"""Of a page that a registry may fill with ten times as many."""


async def weigh(
    registry: Registry,
    reference: Reference,
    *,
    platform: Platform | None = None,
    all_platforms: bool = False,
    measure: Measure | None = None,
) -> Weighing:
    """One reference's images with every layer and line, each layer asked for.

    Without `platform` the reference platform is weighed (linux/amd64, else the
    first by the design's order). Raises NotFound (with the nearest tags as hint),
    DocumentError, RegistryError, TransportError.

    measure: how a layer is measured, where several weighings share what they learn
    """
    began = time.monotonic()
    reader = Reader(registry, KnownDigests(nothing_known))
    parsed, warnings = await _top(registry, reader, reference)
    found = IndexContents(reader, reference.repository, warnings=warnings)
    images: dict[Platform, Image] = {}
    others: tuple[Other, ...] = ()
    if isinstance(parsed, Index):
        await found.explore(parsed)
        pulled, passed_over = choose(found.listed)
        chosen = _choose(pulled, reference, platform, all_platforms)
        images = await _images(chosen, found)
        others = await _others(images, found)
        others += _seconds(passed_over, pulled, found)
    elif isinstance(parsed, Manifest | Artifact):
        document = await reader.settled(reference.repository, parsed, None)
        if isinstance(document, Image):
            _check_platform(document, reference, platform)
            images = {document.platform: document}
        else:
            others = _itself(document)
    every = tuple(images.values())
    measure = measure or partial(measure_blob, registry)
    measures = await _measures(measure, reference, every, found.warnings)
    weighed = tuple(
        replace(
            weigh_image(image, measures).on_base(base_by_itself(image)),
            platform=pulled_as,
        )
        for pulled_as, image in images.items()
    )
    cost = registry.cost
    return Weighing(
        reference=str(reference),
        registry=reference.registry,
        repository=reference.repository,
        tag=reference.tag,
        digest=parsed.digest,
        media_type=parsed.media_type,
        kind=_kind(parsed, images),
        images=weighed,
        platforms=_platforms(found, images),
        others=others,
        cost=WeighingCost(cost.requests, cost.bytes_read, time.monotonic() - began),
        warnings=(*found.warnings, *doubts_of(weighed)),
        is_whole=found.is_whole,
    )


async def _top(
    registry: Registry, reader: Reader, reference: Reference
) -> tuple[ParsedManifest, list[str]]:
    wanted = reference.digest or reference.tag or "latest"
    try:
        transfer, answer = await reader.top(reference.repository, wanted)
    except NotFound as exc:
        raise await _with_nearest(registry, reference, exc) from exc
    warnings = []
    if answer.claimed_digest and answer.claimed_digest != answer.digest:
        warnings.append(
            "the registry's Docker-Content-Digest is not the digest of what it served"
        )
    try:
        parsed = parse_manifest(answer.content, answer.content_type, reference.digest)
    finally:
        transfer.end()
    return parsed, warnings


async def _with_nearest(
    registry: Registry, reference: Reference, error: NotFound
) -> NotFound:
    """The same error with the tags that look most like the one asked for."""
    if reference.tag is None:
        return error
    try:
        async for page in registry.tags(reference.repository):
            names = [tag.name for tag in page.tags[:_NAMES_COMPARED]]
            near = nearest(reference.tag, names)
            known = near or names[:3]
            if not known:
                break
            word = "nearest" if near else "it has"
            return NotFound(
                "there is no such tag",
                code=error.code,
                hint=f"{word}  {', '.join(known)}",
            )
    except NotFound as exc:
        # Registries answer for a manifest as if only the manifest were missing.
        return _unknown(reference) if exc.code == "name_unknown" else error
    except WeighbridgeError:
        return error
    return error


def _unknown(reference: Reference) -> NotFound:
    return NotFound(
        "the registry does not know this repository",
        code="name_unknown",
        hint=f"check its spelling: {reference.repository}",
    )


def _choose(
    pulled: Mapping[Platform, Digest],
    reference: Reference,
    platform: Platform | None,
    all_platforms: bool,
) -> list[tuple[Platform, Digest]]:
    if platform is not None:
        chosen = [(p, d) for p, d in pulled.items() if matches(p, platform)]
        if not chosen:
            raise _no_platform(reference, platform, pulled)
        return chosen
    headline = reference_platform(pulled) or next(iter(pulled), None)
    ordered = _headline_first(pulled, headline)
    if all_platforms:
        return [(p, pulled[p]) for p in ordered]
    return [(p, pulled[p]) for p in ordered[:1]]


def _headline_first(
    platforms: Iterable[Platform], headline: Platform | None
) -> list[Platform]:
    return sorted(platforms, key=lambda p: (p != headline, p))


def _check_platform(
    image: Image, reference: Reference, platform: Platform | None
) -> None:
    if platform is not None and not matches(image.platform, platform):
        raise _no_platform(reference, platform, [image.platform])


def _no_platform(
    reference: Reference, platform: Platform, there: Iterable[Platform]
) -> NotFound:
    return NotFound(
        f"there is no {platform} in it",
        code="platform_missing",
        hint=f"it has  {', '.join(str(p) for p in there) or 'no image at all'}",
    )


async def _images(
    chosen: list[tuple[Platform, Digest]], found: IndexContents
) -> dict[Platform, Image]:
    """By the platform that each is pulled for, in the order of `chosen`."""
    held = 0

    async def one(platform: Platform, digest: Digest) -> Image | None:
        nonlocal held
        image = found.read.get(digest)
        if image is None:
            image = await _image(platform, digest, found)
        if image is not None and differ(platform, image.platform):
            said = image.platform
            found.warnings.append(other_platform_text(platform, said, digest))
        held += kept_bytes([image] if image else [])
        if held > limits.IN_FLIGHT_BYTES:
            raise _too_much()
        return image

    images = await together(one(p, d) for p, d in chosen)
    read = {
        platform: image
        for (platform, _), image in zip(chosen, images, strict=True)
        if image is not None
    }
    if chosen and not read:
        raise NotFound(found.warnings[-1], code="child_missing")
    return read


async def _image(
    platform: Platform, digest: Digest, found: IndexContents
) -> Image | None:
    parsed = await found.fetch_child(found.children[digest])
    if isinstance(parsed, Manifest | Artifact):
        document = await found.reader.settled(found.repository, parsed, platform)
        if isinstance(document, Image):
            return document
    if parsed is not None:
        found.warnings.append(f"what is listed for {platform} is no image")
    return None


async def _others(
    images: Mapping[Platform, Image], found: IndexContents
) -> tuple[Other, ...]:
    """Children that are no images. Only the attestations of the images shown are
    read for their size: each GET counts as a pull."""
    shown = {image.digest for image in images.values()}

    async def one(child: Child) -> Other:
        wanted = child.descriptor
        subject = wanted.annotations.get(REFERENCE_DIGEST)
        stored: int | None = None
        if subject in shown:
            try:
                parsed = await found.fetch_child(child)
            except DocumentError as exc:
                found.warnings.append(f"an attestation was refused ({exc.code})")
                parsed = None
            if isinstance(parsed, Artifact):
                stored = parsed.stored_bytes
        return Other(wanted.digest, wanted.media_type, child.role, stored)

    return tuple(await asyncio.gather(*(one(child) for child in found.others.values())))


def _seconds(
    passed_over: Sequence[ListedImage[Digest]],
    pulled: Mapping[Platform, Digest],
    found: IndexContents,
) -> tuple[Other, ...]:
    """Images for a platform for which another one is pulled, and a warning for each
    such platform."""
    for platform in dict.fromkeys(each.platform for each in passed_over):
        found.warnings.append(second_text(platform, pulled[platform]))
    descriptors = [found.children[each.image].descriptor for each in passed_over]
    return tuple(Other(d.digest, d.media_type, "image", None) for d in descriptors)


def _itself(artifact: Artifact) -> tuple[Other, ...]:
    """A reference that is no image is shown as what it is."""
    name = artifact.artifact_type or artifact.media_type
    return (Other(artifact.digest, name, artifact.role, artifact.stored_bytes),)


def _too_much() -> DocumentError:
    most = format_bytes(limits.IN_FLIGHT_BYTES)
    return DocumentError(
        f"the manifests and configs of its images take more than {most} of memory",
        code="index_too_large",
        hint="ask for one platform with --platform",
    )


async def _measures(
    measure: Measure,
    reference: Reference,
    images: tuple[Image, ...],
    warnings: list[str],
) -> Mapping[Digest, MeasuredBlob]:
    layers = {layer.digest: layer for image in images for layer in image.layers}

    async def one(layer: Layer) -> tuple[Digest, MeasuredBlob]:
        try:
            found = await measure(reference.repository, layer)
        except (DocumentError, RegistryError, TransportError) as exc:
            warnings.append(
                f"layer {layer.digest[:19]}… could not be measured: {exc.message}"
            )
            found = MeasuredBlob(None, unseen(exc.code).size, exc.code)
        return layer.digest, found

    return dict(await asyncio.gather(*(one(layer) for layer in layers.values())))


def _platforms(
    found: IndexContents, images: Mapping[Platform, Image]
) -> tuple[Platform, ...]:
    listed = {each.platform for each in found.listed} or set(images)
    headline = next(iter(images), None)
    return tuple(_headline_first(listed - {UNKNOWN}, headline))


def _kind(parsed: ParsedManifest, images: Mapping[Platform, Image]) -> str:
    if isinstance(parsed, Index):
        return "index"
    if isinstance(parsed, Unweighable):
        return "unweighable"
    return "image" if images else "artifact"


class MeasuredOnce:
    """Of one registry. Layers of two repositories, or that two manifests describe in
    two ways, are two."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._asked: dict[tuple[str, Layer], asyncio.Future[MeasuredBlob]] = {}

    async def measure(self, repository: str, layer: Layer) -> MeasuredBlob:
        """Raises as `measure_blob` does; whoever asks again gets the same error."""
        asked = self._asked.get((repository, layer))
        if asked is None:
            asking = measure_blob(self._registry, repository, layer)
            asked = self._asked[repository, layer] = asyncio.ensure_future(asking)
        return await asked
