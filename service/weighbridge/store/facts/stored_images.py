"""Facts as values again: images as the parsers once made them, and what targets lead
to, the images below an index and the bytes of all of it.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct
from sqlalchemy import BigInteger, Connection, Row, and_, bindparam, case, func, select

from weighbridge.domain.image.digest import Digest
from weighbridge.domain.image.document import (
    Descriptor,
    Image,
    Layer,
    Line,
    Manifest,
    Problem,
    Role,
)
from weighbridge.domain.image.platform import (
    ListedImage,
    Platform,
    choose,
    pulled_as,
    reference_platform,
)
from weighbridge.domain.size.confidence import MeasuredBlob, Uncompressed
from weighbridge.store.dialect import (
    Rows,
    among_ids,
    given_ids,
    listed,
    probe,
    probe_if_any,
)
from weighbridge.store.facts.blobs import FactsState
from weighbridge.store.ledger.expressions import HAS_FACTS, sized, weighs_in
from weighbridge.store.models import (
    KEPT_STATES,
    artifacts,
    blob_sizes,
    blobs,
    images,
    index_members,
    instructions,
    layers,
    lines,
    manifest_sizes,
    media_types,
    platforms,
)
from weighbridge.store.models.types import moment_of

NOT_MEASURED: Final = Uncompressed("unknown", None, None, None, "not_asked")
"""The uncompressed size of a blob whose length alone was asked for."""

NO_SCOPE: Final = 0
"""No storage scope: every size is claimed."""

_config = blobs.alias("config")
_config_type = media_types.alias("config_type")
_IMAGES: Final = (
    select(
        images,
        blobs.c.digest,
        func.coalesce(blobs.c.read_bytes, blobs.c.compressed_bytes).label(
            "manifest_bytes"
        ),
        media_types.c.text.label("media_type"),
        platforms.c.os,
        platforms.c.architecture,
        platforms.c.variant,
        platforms.c.os_version,
        _config.c.digest.label("config_digest"),
        func.coalesce(_config.c.read_bytes, _config.c.compressed_bytes).label(
            "config_bytes"
        ),
        _config_type.c.text.label("config_media_type"),
        lines.c.entries,
    )
    .join_from(images, blobs, blobs.c.id == images.c.id)
    .join(media_types, media_types.c.id == blobs.c.media_type_id)
    .join(platforms, platforms.c.id == images.c.platform_id)
    .join(_config, _config.c.id == images.c.config_id)
    .join(_config_type, _config_type.c.id == _config.c.media_type_id)
    .join(lines, lines.c.image_id == images.c.id)
    .where(among_ids(images.c.id))
)
_LAYERS: Final = (
    select(
        layers.c.image_id,
        layers.c.blob_id,
        func.coalesce(layers.c.claimed_bytes, blobs.c.compressed_bytes).label(
            "claimed_bytes"
        ),
        blobs.c.digest,
        layers.c.is_foreign,
        layers.c.annotated_uncompressed_bytes,
        blobs.c.has_conflict,
        media_types.c.text.label("media_type"),
        blob_sizes.c.registry_bytes,
        blob_sizes.c.claim_reason,
        blob_sizes.c.seen_format,
        blob_sizes.c.uncompressed_confidence,
        blob_sizes.c.uncompressed_bytes,
        blob_sizes.c.uncompressed_low_bytes,
        blob_sizes.c.uncompressed_high_bytes,
        blob_sizes.c.uncompressed_reason,
    )
    .select_from(
        sized(
            layers.join(blobs, blobs.c.id == layers.c.blob_id).join(
                media_types,
                media_types.c.id
                == func.coalesce(layers.c.media_type_id, blobs.c.media_type_id),
            ),
            bindparam("scope", type_=BigInteger),
        )
    )
    .where(among_ids(layers.c.image_id))
    .order_by(layers.c.image_id, layers.c.position)
)
_INSTRUCTIONS: Final = select(instructions.c.id, instructions.c.text).where(
    among_ids(instructions.c.id)
)


class StoredImage(Struct, frozen=True):
    """An image with what its layers were found to hold.

    conflicts: blobs of it that another document claimed another size for
    """

    image: Image
    measured: dict[Digest, MeasuredBlob]
    conflicts: tuple[Digest, ...]


class StoredLayer(Struct, frozen=True):
    """A layer, with what the registry answered (None: nothing yet).

    has_conflict: documents disagree about its size, and there is no word on it
    """

    blob_id: int
    layer: Layer
    measured: MeasuredBlob | None
    has_conflict: bool


def load_images(
    connection: Connection, image_ids: Collection[int], scope_id: int = NO_SCOPE
) -> dict[int, StoredImage]:
    """The images of these ids, with the word of a scope's registry on their layers.
    Their `diff_ids` are not kept and are empty."""
    parameters = {"ids": listed(image_ids)}
    rows = connection.execute(_IMAGES, parameters).all()
    found = load_layers(connection, image_ids, scope_id)
    entries = {row.id: json.loads(row.entries) for row in rows}
    texts = _texts(connection, (e[0] for image in entries.values() for e in image))
    return {
        row.id: _stored(row, found.get(row.id, []), _lines(entries[row.id], texts))
        for row in rows
    }


def load_layers(
    connection: Connection, image_ids: Collection[int], scope_id: int = NO_SCOPE
) -> dict[int, list[StoredLayer]]:
    """The layers of each image in order, base first, every occurrence."""
    found: dict[int, list[StoredLayer]] = {}
    parameters = {"ids": listed(image_ids), "scope": scope_id}
    for row in connection.execute(_LAYERS, parameters):
        layer = Layer(
            media_type=row.media_type,
            digest=row.digest,
            compressed_bytes=row.claimed_bytes,
            is_foreign=row.is_foreign,
            annotated_uncompressed_bytes=row.annotated_uncompressed_bytes,
        )
        is_open = row.has_conflict and row.registry_bytes is None
        stored = StoredLayer(row.blob_id, layer, _measured(row), is_open)
        found.setdefault(row.image_id, []).append(stored)
    return found


def _measured(row: Row[*tuple[object, ...]]) -> MeasuredBlob | None:
    if row.registry_bytes is None and row.claim_reason is None:
        return None
    size = NOT_MEASURED
    if row.uncompressed_confidence is not None:
        size = Uncompressed(
            row.uncompressed_confidence,
            row.uncompressed_bytes,
            row.uncompressed_low_bytes,
            row.uncompressed_high_bytes,
            row.uncompressed_reason or "",
        )
    return MeasuredBlob(
        row.registry_bytes, size, row.claim_reason or "", row.seen_format
    )


def _stored(
    row: Row[*tuple[object, ...]], stored: list[StoredLayer], steps: tuple[Line, ...]
) -> StoredImage:
    config = Descriptor(row.config_media_type, row.config_digest, row.config_bytes)
    manifest = Manifest(
        digest=row.digest,
        media_type=row.media_type,
        manifest_bytes=row.manifest_bytes,
        config=config,
        layers=tuple(item.layer for item in stored),
    )
    image = Image(
        manifest=manifest,
        platform=Platform(row.os, row.architecture, row.variant, row.os_version),
        created_at=row.created_at,
        diff_ids=(),
        lines=steps,
        history_alignment=row.history_alignment,
        problems=tuple(Problem(*pair) for pair in json.loads(row.problems or "[]")),
    )
    return StoredImage(
        image,
        {i.layer.digest: i.measured for i in stored if i.measured is not None},
        tuple(dict.fromkeys(i.layer.digest for i in stored if i.has_conflict)),
    )


def _texts(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    parameters = {"ids": listed(set(ids))}
    return {row.id: row.text for row in connection.execute(_INSTRUCTIONS, parameters)}


def _lines(
    entries: list[tuple[int, int | None, int | None]], texts: dict[int, str]
) -> tuple[Line, ...]:
    return tuple(
        Line(texts[text], None if created is None else moment_of(created), layer)
        for text, created, layer in entries
    )


_Path: TypeAlias = tuple[tuple[Platform | None, int], ...]
_LEADS_TO_IMAGES: Final[tuple[Role, ...]] = ("image", "index")
_ALL: Final[tuple[Role, ...]] = ("image", "index", "attestation", "artifact")
_MEMBERS: Final = (
    select(
        index_members.c.index_id,
        index_members.c.child_id,
        index_members.c.role,
        platforms.c.os,
        platforms.c.architecture,
        platforms.c.variant,
        platforms.c.os_version,
    )
    .outerjoin_from(
        index_members, platforms, platforms.c.id == index_members.c.platform_id
    )
    .where(among_ids(index_members.c.index_id))
    .order_by(index_members.c.index_id, index_members.c.position)
)
_given = given_ids("scope_id", "blob_id")
_NODES: Final = Rows(
    select(
        _given.c.scope_id,
        blobs.c.id,
        blobs.c.digest,
        media_types.c.text.label("media_type"),
        blobs.c.facts_state,
        blobs.c.facts_code,
        func.coalesce(
            manifest_sizes.c.stored_bytes,
            images.c.stored_bytes,
            artifacts.c.stored_bytes,
            blobs.c.read_bytes,
            case((blobs.c.has_conflict.is_(False), blobs.c.compressed_bytes)),
        ).label("stored_bytes"),
        platforms.c.os,
        platforms.c.architecture,
        platforms.c.variant,
        platforms.c.os_version,
    ).select_from(
        probe_if_any(
            probe(_given, blobs, blobs.c.id == _given.c.blob_id),
            # What was pruned has its row still, for history.
            (images, and_(images.c.id == blobs.c.id, HAS_FACTS)),
            (artifacts, and_(artifacts.c.id == blobs.c.id, HAS_FACTS)),
            (
                manifest_sizes,
                and_(weighs_in(_given.c.scope_id), HAS_FACTS),
            ),
            (platforms, platforms.c.id == images.c.platform_id),
            (media_types, media_types.c.id == blobs.c.media_type_id),
        )
    )
)


class Node(NamedTuple):
    """A manifest as far as sums need it.

    stored_bytes: its own, with its config and layers; of a missing one what its
                  index claims; None: not even that, or others claim otherwise
    platform:     of an image
    """

    id: int
    digest: Digest
    media_type: str
    state: FactsState
    code: str | None
    stored_bytes: int | None
    platform: Platform | None


class Member(Struct, frozen=True):
    """A child of an index; `platform` as the index says it."""

    child_id: int
    role: Role
    platform: Platform | None


class Graph(Struct, frozen=True):
    """Some targets and everything below them."""

    nodes: Mapping[int, Node]
    members: Mapping[int, Sequence[Member]]

    def images_of(self, target: int) -> dict[Platform, int]:
        """The image ids that a target leads to, by platform: those that are pulled,
        see `platform.choose`."""
        return choose(self._images(target))[0]

    def passed_over(self, target: int) -> list[ListedImage[int]]:
        """Images that an index lists for a platform that it has another one for."""
        return choose(self._images(target))[1]

    def _images(self, target: int) -> Iterator[ListedImage[int]]:
        """Every entry that is an image; an index that is listed again leads nowhere
        new."""
        itself = self.nodes[target]
        if itself.platform is not None:
            yield ListedImage(itself.platform, (), target)
            return
        seen: set[int] = set()
        waiting: list[tuple[int, _Path]] = [(target, ())]
        while waiting:
            index, path = waiting.pop()
            if index in seen or self.nodes[index].state not in KEPT_STATES:
                continue
            seen.add(index)
            below: list[tuple[int, _Path]] = []
            for place, member in enumerate(self.members.get(index, ())):
                if member.role not in _LEADS_TO_IMAGES:
                    continue
                here = (*path, (member.platform, place))
                said = self.nodes[member.child_id].platform
                if said is None:
                    below.append((member.child_id, here))
                else:
                    platform = pulled_as(member.platform, said)
                    yield ListedImage(platform, here, member.child_id)
            waiting.extend(reversed(below))

    def children_of(self, target: int) -> list[Member]:
        """All that lies below a target, each manifest once, in the index's order."""
        return [member for member in self._walk(target) if member.child_id != target]

    def stored_bytes_of(self, target: int) -> int:
        """What a target and all below it occupy, each manifest once."""
        return sum(
            self.nodes[member.child_id].stored_bytes or 0
            for member in self._walk(target)
        )

    def _walk(self, target: int, roles: Collection[Role] = _ALL) -> Iterator[Member]:
        seen: set[int] = set()
        waiting = [Member(target, "image", None)]
        while waiting:
            member = waiting.pop()
            if member.child_id in seen or member.role not in roles:
                continue
            seen.add(member.child_id)
            yield member
            # An index that was pruned leads nowhere until it is read again.
            if self.nodes[member.child_id].state in KEPT_STATES:
                waiting.extend(reversed(self.members.get(member.child_id, ())))


def load_graph(
    connection: Connection, targets: Collection[int], scope_id: int = NO_SCOPE
) -> Graph:
    """Read targets and what is below them; `stored_bytes` of each as far as the
    registry's word is known in the scope."""
    return load_graphs(connection, {scope_id: targets})[scope_id]


def load_graphs(
    connection: Connection, targets: Mapping[int, Collection[int]]
) -> dict[int, Graph]:
    """The same for the targets of many scopes, one round of queries for each level."""
    members = _load_members(connection, set().union(*targets.values()))
    reached = {scope: sorted(_below(members, each)) for scope, each in targets.items()}
    nodes: dict[int, dict[int, Node]] = {scope: {} for scope in targets}
    for scope, number, digest, kind, state, code, size, *said in _NODES.read(
        connection, {"keys": reached}
    ):
        nodes[scope][number] = Node(
            number, digest, kind or "", state, code, size, _platform(*said)
        )
    return {scope: Graph(each, members) for scope, each in nodes.items()}


def _load_members(
    connection: Connection, targets: Collection[int]
) -> dict[int, list[Member]]:
    members: dict[int, list[Member]] = {}
    seen = set(targets)
    wave = set(targets)
    while wave:
        below: set[int] = set()
        for row in connection.execute(_MEMBERS, {"ids": listed(sorted(wave))}):
            platform = _platform(row.os, row.architecture, row.variant, row.os_version)
            member = Member(row.child_id, row.role, platform)
            members.setdefault(row.index_id, []).append(member)
            below.add(row.child_id)
        wave = below - seen
        seen |= wave
    return members


def _below(
    members: Mapping[int, Sequence[Member]], targets: Collection[int]
) -> set[int]:
    """These targets and all that is below them."""
    seen = set(targets)
    waiting = list(targets)
    while waiting:
        for member in members.get(waiting.pop(), ()):
            if member.child_id not in seen:
                seen.add(member.child_id)
                waiting.append(member.child_id)
    return seen


def _platform(
    os: str | None, architecture: str, variant: str, os_version: str
) -> Platform | None:
    return None if os is None else Platform(os, architecture, variant, os_version)


def headline(
    found: Mapping[Platform, int], preferred: Sequence[Platform]
) -> tuple[Platform, int] | None:
    """The platform whose image speaks for the target, and that image's id."""
    platform = reference_platform(found, preferred)
    if platform is None:
        # Only images of an unknown platform: the first one is better than none.
        platform = next(iter(found), None)
    return None if platform is None else (platform, found[platform])
