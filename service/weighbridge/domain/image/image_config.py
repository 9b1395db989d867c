"""Configs, and what a manifest and its config say together: an image. The lines of its
history, each as one Dockerfile instruction, whoever built it, and which of them made
which layer, and how sure that is.

A config lists steps, a manifest lists layers, and nothing but order joins the two.
A size beside the wrong line is worse than no size, so where counting does not settle
it and what the lines say does not either, no line is given a layer.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, TypeVar

from weighbridge.domain import limits
from weighbridge.domain.image.digest import Digest, is_digest, verify
from weighbridge.domain.image.document import (
    HistoryAlignment,
    HistoryEntry,
    Image,
    ImageConfig,
    Line,
    Manifest,
    Problem,
    platform_of,
)
from weighbridge.domain.image.platform import UNKNOWN, Platform, normalised
from weighbridge.domain.text.masking import BUILD_ARGUMENTS, SHELL, mask
from weighbridge.domain.text.printable import printable
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
                HISTORY_MISMATCH,
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


METADATA: Final = frozenset(
    {
        "ARG",
        "CMD",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
    }
)
"""Instructions that change the config only: on Linux they never make a layer."""

KEYWORDS: Final = METADATA | {"ADD", "COPY", "FROM", "RUN", "WORKDIR"}

NO_TEXT: Final = "(no instruction)"

_NO_OPERATION: Final = "#(nop)"
_BUILDKIT: Final = " # buildkit"
_ARGUMENT: Final = re.compile(r"[A-Za-z_][\w.-]*=\*\*\*(?:\s+|\Z)", re.ASCII)

_Key = TypeVar("_Key", str, bytes)

# The longest character of UTF-8 has four bytes, so this needs no measuring.
_SHORT_CHARACTERS: Final = limits.INSTRUCTION_CHARACTERS // 4

# Images of one registry share most of their lines (57,000 of them in the official
# images of 2018 are 3,300 texts).
_KEPT_TEXTS: Final = 2_048
_LONGEST_KEPT: Final = 4_096
_kept: Final[dict[str, str]] = {}
"""Texts in which nothing was to be masked, and what is shown of them."""
_kept_masked: Final[dict[bytes, str]] = {}
"""By digest, as what has not been masked yet must not stay in memory."""


def instruction(created_by: str, comment: str = "") -> str:
    """The instruction that a history entry records: `RUN make install`.

    Shells, `#(nop)`, `# buildkit` and build arguments are stripped; a bare shell
    command becomes RUN; dialects that we do not know stay as they are. Without
    `created_by` the comment speaks (a squashed image says so there).

    The result is one printable line with secrets masked, at most 8 KiB of UTF-8,
    with a marker where it was cut.
    """
    text = created_by if created_by.strip() else comment
    shown = _kept.get(text)
    return _read(text) if shown is None else shown


def _read(text: str) -> str:
    key = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    shown = _kept_masked.get(key)
    if shown is not None:
        return shown
    line = " ".join(text.split())
    masked = mask(line)
    shown = _cut(_dockerfile_form(masked)) or NO_TEXT
    if masked == line and len(text) <= _LONGEST_KEPT:
        _keep(_kept, text, shown)
    else:
        _keep(_kept_masked, key, shown)
    return shown


def _keep(kept: dict[_Key, str], key: _Key, shown: str) -> None:
    if len(kept) >= _KEPT_TEXTS:
        kept.clear()
    kept[key] = shown


def keyword(text: str) -> str:
    """The Dockerfile keyword that a result of `instruction` starts with, or ""."""
    first = text.partition(" ")[0]
    return first if first in KEYWORDS else ""


def _dockerfile_form(text: str) -> str:
    text = text.removesuffix(_BUILDKIT)
    if keyword(text) not in ("", "RUN"):
        return text
    arguments = BUILD_ARGUMENTS.match(text)
    if arguments is not None:
        command = _without_arguments(text, arguments.end(), int(arguments[1]))
    else:
        command = text.removeprefix("RUN ")
    shell = SHELL.match(command)
    if shell is not None:
        command = command[shell.end() :]
    if command.startswith(_NO_OPERATION):
        return command.removeprefix(_NO_OPERATION).strip()
    if shell is None and arguments is None and not text.startswith("RUN "):
        return text
    # `/bin/sh -c ENV A=b` without `#(nop)` ran a program, however it is called.
    return f"RUN {command}".rstrip()


def _without_arguments(text: str, start: int, count: int) -> str:
    for _ in range(count):
        found = _ARGUMENT.match(text, start)
        if found is None:
            break
        start = found.end()
    return text[start:]


def _cut(text: str) -> str:
    if len(text) <= _SHORT_CHARACTERS and text.isprintable():
        return text
    # Writing characters out only makes a text longer: what is far behind the cut
    # can be left alone.
    shown = printable(text[: limits.INSTRUCTION_CHARACTERS + 1])
    encoded = shown.encode()
    if len(encoded) <= limits.INSTRUCTION_CHARACTERS:
        return shown
    marker = f"… (cut, {len(text)} characters)"
    room = limits.INSTRUCTION_CHARACTERS - len(marker.encode())
    return encoded[:room].decode(errors="ignore") + marker


HISTORY_MISMATCH: Final = "history_mismatch"
"""The problem of an image whose config was read, and whose history tells of none or of
other layers."""

NOT_IN_HISTORY: Final = "(not in the history)"
"""The line of a layer of an image that has no history."""

LINE_UNKNOWN: Final = "(line unknown)"
"""The line of a layer where history and layers do not fit together."""

SQUASHED: Final = "(squashed: one layer of several lines above)"
"""The line of a layer that several instructions share."""

_COPIES: Final = frozenset({"ADD", "COPY"})
_WORKS: Final = _COPIES | {"RUN"}


def align(
    history: Sequence[HistoryEntry], layers: int, os: str = "linux"
) -> tuple[tuple[Line, ...], HistoryAlignment]:
    """The lines of an image with `layers` layers, and how sure their layers are.

    `exact`: as many entries as layers are not marked empty, and each can make one.
    `inferred`: what the entries say leaves exactly that many; or several of them
        were committed as one layer, which then has a line of its own.
    `unresolved`: neither; a line for each entry names no layer, and a line for each
    layer names no instruction, so that every byte is still seen.
    """
    texts = [instruction(entry.created_by, entry.comment) for entry in history]
    words = [keyword(text) for text in texts]
    makers, shared, alignment = _makers(history, words, layers, os)
    layer_of = {line: layer for layer, line in enumerate(makers)}
    lines: list[Line] = []
    for number, (text, entry) in enumerate(zip(texts, history, strict=True)):
        layer = layer_of.get(number)
        if number in shared:
            lines.append(Line(text, entry.created_at, None))
            lines.append(Line(SQUASHED, entry.created_at, layer))
        else:
            lines.append(Line(text, entry.created_at, layer))
    if alignment == "unresolved":
        unexplained = LINE_UNKNOWN if history else NOT_IN_HISTORY
        lines += [Line(unexplained, None, layer) for layer in range(layers)]
    return tuple(lines), alignment


_Makers = tuple[list[int], frozenset[int], HistoryAlignment]


def _makers(
    history: Sequence[HistoryEntry], words: Sequence[str], layers: int, os: str
) -> _Makers:
    """The numbers of the entries that made the layers, in order; which of them share
    theirs with lines before them; and how sure that is."""
    not_empty = [n for n, entry in enumerate(history) if entry.empty_layer is not True]
    able = [n for n in not_empty if words[n] not in METADATA]
    if len(not_empty) == layers:
        shared = _shared(history, words, not_empty)
        # On Windows the classic builder commits a layer for every line.
        if os == "windows" or all(n in shared for n in set(not_empty) - set(able)):
            return not_empty, shared, "inferred" if shared else "exact"
    if len(able) == layers:
        return able, _shared(history, words, able), "inferred"
    if all(entry.empty_layer is None for entry in history):
        # `empty_layer` was not served. WORKDIR makes a layer only where it had to
        # make the directory, and the classic builder did not always do that.
        able = [n for n in able if words[n] != "WORKDIR"]
        if len(able) == layers:
            return able, _shared(history, words, able), "inferred"
    return [], frozenset(), "unresolved"


def _shared(
    history: Sequence[HistoryEntry], words: Sequence[str], makers: Sequence[int]
) -> frozenset[int]:
    """The makers whose layer holds the work of lines before them as well.

    buildah without `--layers` and `docker build --squash` commit several lines as
    one layer: all of them are marked empty but the last, be that a RUN or a CMD. A
    file that was copied is somewhere, so a COPY that is marked empty gives it away;
    a RUN may really have changed nothing, and does so only where the last line is
    one that makes no layer by itself.
    """
    shared = set()
    for before, maker in pairwise([-1, *makers]):
        gives_away = _WORKS if words[maker] in METADATA else _COPIES
        if history[maker].comment.startswith("merge sha256:"):
            continue  # docker's own line for a squashed layer
        for n in range(before + 1, maker):
            if words[n] in gives_away and history[n].empty_layer is True:
                shared.add(maker)
    return frozenset(shared)
