"""Configs, and what a manifest and its config say together: an image."""

from datetime import UTC, datetime
from typing import Final

from weighbridge.domain import limits
from weighbridge.domain.image.descriptor import platform_of
from weighbridge.domain.image.digest import Digest, is_digest, verify
from weighbridge.domain.image.document import (
    HistoryEntry,
    Image,
    ImageConfig,
    Manifest,
    Problem,
)
from weighbridge.domain.image.history import align
from weighbridge.domain.image.platform import UNKNOWN, Platform, normalised
from weighbridge.domain.text.strict_json import members, parse_json, read_moment, shape
from weighbridge.errors import DocumentError

# image-spec, config.md. `config` (Env, Labels and so on) is not read at all.
_CONFIG: Final = shape(
    "architecture", "os", "os.version", "variant", "created", "rootfs", "history"
)
_ROOTFS: Final = shape("type", "diff_ids")
_HISTORY: Final = shape("created", "created_by", "empty_layer", "comment", "author")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse_config(raw: bytes, digest: Digest) -> ImageConfig:
    """A config whose digest is `digest`. Every member may be null or missing.

    Raises DocumentError: config_too_large, digest_mismatch, invalid_json,
    duplicate_key, ambiguous_manifest, invalid_config. None of them takes an image
    its size: see `build_image`.
    """
    if len(raw) > limits.CONFIG_BODY_BYTES:
        raise DocumentError(
            f"the config has more than {limits.CONFIG_BODY_BYTES} bytes",
            code="config_too_large",
        )
    verify(raw, digest)
    found = members(parse_json(raw), _CONFIG)
    if found is None:
        raise _invalid("it is not an object")
    diff_ids, has_root = _diff_ids(found.get("rootfs"))
    return ImageConfig(
        digest=digest,
        config_bytes=len(raw),
        platform=platform_of(found) or UNKNOWN,
        created_at=read_moment(found.get("created"), _EPOCH),
        diff_ids=diff_ids,
        history=_history(found.get("history")),
        has_root=has_root,
    )


def build_image(
    manifest: Manifest,
    config: ImageConfig | None,
    platform_hint: Platform | None = None,
    problems: tuple[Problem, ...] = (),
) -> Image:
    """The image of a manifest and its config.

    config:        None where it could not be read; the sizes are good without it,
                   and `problems` says what happened
    platform_hint: what the index says of this manifest
    """
    layers = len(manifest.layers)
    platform = _platform(config.platform if config else UNKNOWN, platform_hint)
    lines, alignment = align(config.history if config else (), layers, platform.os)
    if config is not None and alignment == "unresolved":
        problems += (
            Problem(
                "history_mismatch",
                f"the history ({_count(len(config.history), 'line')}) does not fit "
                f"{_count(layers, 'layer')}",
            ),
        )
    return Image(
        manifest=manifest,
        platform=platform,
        created_at=config.created_at if config else None,
        # A diff ID is known by its place: a list of another length says nothing.
        diff_ids=config.diff_ids if config and len(config.diff_ids) == layers else (),
        lines=lines,
        history_alignment=alignment,
        problems=problems,
    )


def _platform(said: Platform, hint: Platform | None) -> Platform:
    """The config's platform, completed by the index's. An index that says another one
    speaks for itself alone, see `platform.pulled_as`: the image may be listed by any
    stranger's.

    Builders before 2020 left variant and os.version out of the config, and then
    arm/v6 and arm/v7 of one index would look the same.
    """
    if hint is None or hint == UNKNOWN:
        return said
    if said == UNKNOWN:
        return hint
    if (said.os, said.architecture) != (hint.os, hint.architecture):
        return said
    unsaid = normalised(said.os, said.architecture).variant
    return Platform(
        said.os,
        said.architecture,
        hint.variant if said.variant == unsaid else said.variant,
        said.os_version or hint.os_version,
    )


def _history(value: object) -> tuple[HistoryEntry, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _invalid("history is not a list")
    if len(value) > limits.HISTORY_ENTRIES:
        raise _invalid(f"history has more than {limits.HISTORY_ENTRIES} entries")
    return tuple([_history_entry(item, place) for place, item in enumerate(value)])


def _history_entry(value: object, place: int) -> HistoryEntry:
    found = members(value, _HISTORY)
    if found is None:
        raise _invalid(f"history[{place}] is not an object")
    created_by = found.get("created_by")
    comment = found.get("comment")
    empty_layer = found.get("empty_layer")
    if empty_layer is not None and not isinstance(empty_layer, bool):
        raise _invalid(f"history[{place}].empty_layer is not true or false")
    return HistoryEntry(
        "" if created_by is None else _text(created_by, place, "created_by"),
        read_moment(found.get("created"), _EPOCH),
        empty_layer,
        "" if comment is None else _text(comment, place, "comment"),
    )


def _text(value: object, place: int, name: str) -> str:
    if isinstance(value, str):
        return value
    raise _invalid(f"history[{place}].{name} is not a string")


def _diff_ids(value: object) -> tuple[tuple[Digest, ...], bool]:
    """All of them or none: bases are found by them, sizes never depend on them. And
    whether there are any, good ones or not."""
    if value is None:
        return (), False
    rootfs = members(value, _ROOTFS)
    if rootfs is None:
        raise _invalid("rootfs is not an object")
    found = rootfs.get("diff_ids")
    if not isinstance(found, list) or len(found) > limits.LAYERS:
        return (), bool(found)
    digests = tuple([Digest(item) for item in found if is_digest(item)])
    return digests if len(digests) == len(found) else (), bool(found)


def _invalid(why: str) -> DocumentError:
    return DocumentError(f"the config is not well-formed: {why}", code="invalid_config")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
