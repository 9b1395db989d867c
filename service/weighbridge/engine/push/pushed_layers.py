"""Asks a registry for the layers of what was pushed, before that is judged.

A pusher's claim decides nothing that the registry can be asked about. It is asked for a
short time only, all layers together; of what is not answered by then the claim is
judged, said to be one, and judged again once it is answered.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import Image
from weighbridge.domain.size.confidence import MeasuredBlob
from weighbridge.engine.context.crawl_context import CrawlContext
from weighbridge.engine.measure.keep_answers import keep_answers, sum_up
from weighbridge.engine.measure.many_layers import ask_for
from weighbridge.engine.push.ask_registry import TagStatus
from weighbridge.errors import DocumentError, RegistryError, TransportError
from weighbridge.ports.protocols import IS_URGENT
from weighbridge.store.facts.blobs import find_blobs
from weighbridge.store.session import Connection
from weighbridge.store.sizes.blob_sizes import keep_measures
from weighbridge.store.sizes.manifest_sizes import Swept, sweep_manifests
from weighbridge.store.sizes.unmeasured import LiveManifest, Unmeasured, find_unasked


def pushed_images(statuses: Sequence[TagStatus]) -> list[Image]:
    """The images that were read for these tags, each once."""
    found: dict[Digest, Image] = {}
    for one in statuses:
        if one.answer is not None and one.answer.reading is not None:
            documents = one.answer.reading.documents
            found |= {d.digest: d for d in documents if isinstance(d, Image)}
    return list(found.values())


async def ask_new_layers(
    context: CrawlContext,
    repository: str,
    scope_id: int | None,
    statuses: Sequence[TagStatus],
) -> Mapping[Digest, MeasuredBlob]:
    """What the registry says of the layers that are new in a storage scope, as far as
    it says it in time; scope_id: None of a repository that nobody has seen yet."""
    layers = {y.digest: y for image in pushed_images(statuses) for y in image.layers}
    wanted: Collection[Digest] = layers
    if scope_id is not None and layers:
        wanted = await context.writer.read(
            find_unasked, scope_id, list(layers.values()), context.clock()
        )
    answers: dict[Digest, MeasuredBlob] = {}

    async def one(digest: Digest) -> None:
        item = Unmeasured(scope_id or 0, layers[digest], repository)
        # It is asked for again after the verdict, and what is wrong is noted then.
        with suppress(DocumentError, RegistryError, TransportError):
            answers[digest] = await ask_for(context.registry, item)

    mark = IS_URGENT.set(True)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(context.word_within_s):
                await asyncio.gather(*map(one, wanted))
    finally:
        IS_URGENT.reset(mark)
    return answers


async def keep_words(
    context: CrawlContext,
    facts: Callable[[Connection], None] | None,
    words: Mapping[Digest, MeasuredBlob],
    images: Sequence[Image],
    scope: Callable[[Connection], int],
    ledger: Callable[[Connection], None],
) -> None:
    """Keep facts, what the registry said of their layers, and then the ledger that is
    judged by it: on SQLite all of it at once.

    scope: finds the storage scope, or makes it
    """
    if not images:
        await context.writer.keep(facts, ledger)
        return
    writer, now = context.writer, context.clock()
    digests = [image.digest for image in images]
    if not writer.settles_at_once:
        if facts is not None:
            await writer.write(facts)
        scope_id = await writer.write(scope)
        await keep_answers(writer, {(scope_id, d): m for d, m in words.items()}, now)
        ids = await writer.read(_ids_of, digests)
        places = [LiveManifest(0, number, scope_id) for number in ids]
        await sum_up(writer, places, now, context.count_conflicts, is_partial=True)
        await writer.write(ledger)
        return

    def at_once(connection: Connection) -> Swept:
        if facts is not None:
            facts(connection)
        scope_id = scope(connection)
        keep_measures(connection, scope_id, words, now)
        ids = _ids_of(connection, digests)
        swept = sweep_manifests(connection, scope_id, ids, now, is_partial=True)
        ledger(connection)
        return swept

    swept = await writer.write(at_once)
    if swept.learned:
        context.count_conflicts("manifest", swept.learned)


def _ids_of(connection: Connection, digests: Sequence[Digest]) -> list[int]:
    return [blob.id for blob in find_blobs(connection, digests).values()]
