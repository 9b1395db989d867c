"""Asks once more, a few in each crawl, for what the registry lacked, or had wrong:
children of indexes, and configs."""

from collections.abc import Collection, MutableSet
from contextlib import suppress
from typing import Final

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Document, Image
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.documents.reading import Reading
from weighbridge.engine.tasks.side_by_side import together
from weighbridge.errors import DocumentError, RegistryError, TransportError
from weighbridge.store.facts.images import keep_documents
from weighbridge.store.facts.late_configs import (
    PASSING,
    images_without_config,
    keep_configs,
)
from weighbridge.store.leases.claiming import Claim
from weighbridge.store.ledger.manifest_facts import missing_manifests

_MAY_PASS: Final = frozenset({"child_missing", "quota_spent"})
AT_ONCE: Final = 20
"""Children, and configs, that are asked for again in one crawl."""


async def ask_for_children(
    context: CrawlContext, claim: Claim, in_vain: MutableSet[Digest]
) -> str:
    """Ask for what live indexes list and nobody has read. Returns the code of one
    that is still missing, or "".

    in_vain: what this crawl has asked for already; what is not found now is added
    """
    read = context.writer.read
    missing = await read(missing_manifests, claim.repository_id, AT_ONCE)
    found: dict[Digest, Document] = {}
    readings: list[Reading] = []

    async def ask(digest: Digest) -> None:
        try:
            reading = await context.reader.read(claim.repository, digest)
        except (DocumentError, RegistryError, TransportError):
            in_vain.add(digest)
            return
        found.update((d.digest, d) for d in reading.documents)
        readings.append(reading)

    await together(
        ask(digest)
        for digest, code in missing.items()
        if code in _MAY_PASS and digest not in in_vain
    )
    if found:
        await context.writer.write(keep_documents, [*found.values()], {})
    for reading in readings:
        context.reader.forget(reading)
    left = await read(missing_manifests, claim.repository_id, 1)
    return next(iter(left.values()), "")


async def ask_for_configs(
    context: CrawlContext, claim: Claim, in_vain: Collection[Digest]
) -> None:
    """Ask for configs that live images were kept without: a registry that is asked too
    much has been seen to answer 404, and bytes change on their way.

    in_vain: images whose configs this crawl has asked for already
    """
    lacking = await context.writer.read(
        images_without_config, claim.repository_id, AT_ONCE
    )
    found: list[Image] = []

    async def ask(image: Image) -> None:
        with suppress(RegistryError, TransportError):
            # The platform is what the index said, as long as no config says more.
            again = await context.reader.image(
                claim.repository, image.manifest, image.platform
            )
            if not has_passing_problem(again):
                found.append(again)

    await together(ask(image) for image in lacking if image.digest not in in_vain)
    if found:
        await context.writer.write(keep_configs, found)


def has_passing_problem(image: Image) -> bool:
    """Whether its config could not be had this time."""
    return any(problem.code in PASSING for problem in image.problems)
