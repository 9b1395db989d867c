"""Recipes made into images: a manifest, its config, its layers."""

from functools import cache
from typing import Final

from weighbridge.demo.content.recipe import Dialect, ImageRecipe, RecipeStep
from weighbridge.demo.content.stored_documents import (
    CONFIG,
    LAYER,
    MANIFEST,
    StoredPush,
    as_json,
    as_served,
    descriptor,
)
from weighbridge.demo.content.virtual_blobs import Blob, make_blob, whole_blob

_SHELL: Final = "/bin/sh -c "
_DEBUERREOTYPE: Final = "# debian.sh"


def created_by(instruction: str, dialect: Dialect) -> tuple[str, str]:
    """`created_by` and `comment` for an instruction such as `RUN make` or `ENV A=b`.

    classic:  /bin/sh -c #(nop)  ENV A=b;  /bin/sh -c make
    buildkit: ENV A=b;  RUN /bin/sh -c make # buildkit
    """
    if instruction.startswith(_DEBUERREOTYPE):
        return instruction, "debuerreotype 0.16"
    word, _, rest = instruction.partition(" ")
    if dialect == "classic":
        return _classic(word, rest), ""
    return _buildkit(word, rest), "buildkit.dockerfile.v0"


def _classic(word: str, rest: str) -> str:
    if word == "RUN":
        return _SHELL + rest
    if word in ("ADD", "COPY"):
        return f"{_SHELL}#(nop) {word} {rest} "
    if word == "WORKDIR":
        return f"{_SHELL}#(nop) {word} {rest}"
    return f"{_SHELL}#(nop)  {word} {rest}"


def _buildkit(word: str, rest: str) -> str:
    if word == "RUN":
        return f"RUN {_SHELL}{rest} # buildkit"
    if word in ("ADD", "COPY"):
        return f"{word} {rest} # buildkit"
    return f"{word} {rest}"


@cache
def build_image(recipe: ImageRecipe) -> StoredPush:
    """One platform's image; made once, the same bytes in every process."""
    layers: list[Blob] = []
    descriptors: list[dict[str, object]] = []
    for step, _ in recipe.all_steps():
        if step.layer is None:
            continue
        layers.append(_layer(step, recipe.platform.architecture))
        media_type = LAYER[recipe.style, step.layer.packing]
        descriptors.append(descriptor(layers[-1], media_type))
    config = whole_blob(_config(recipe, layers))
    manifest = as_served(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST[recipe.style],
            "config": descriptor(config, CONFIG[recipe.style]),
            "layers": descriptors,
        },
        MANIFEST[recipe.style],
    )
    blobs = {blob.digest: blob for blob in (config, *layers)}
    return StoredPush(manifest, (manifest,), blobs)


@cache
def _layer(step: RecipeStep, architecture: str) -> Blob:
    figure = step.layer
    if figure is None:
        raise AssertionError("only steps with a layer come here")
    # The same step of the same build is the same blob in every image above it.
    name = f"{architecture} {step.at} {step.instruction} {figure.edition}"
    return make_blob(
        name, figure.packing, figure.compressed_bytes, figure.uncompressed_bytes
    )


def _config(recipe: ImageRecipe, layers: list[Blob]) -> bytes:
    platform = recipe.platform
    document: dict[str, object] = {
        "architecture": platform.architecture,
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"]},
        "created": recipe.steps[-1].at,
        "history": [_history(step, dialect) for step, dialect in recipe.all_steps()],
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in layers]},
    }
    if platform.variant:
        document["variant"] = platform.variant
    return as_json(document)


def _history(step: RecipeStep, dialect: Dialect) -> dict[str, object]:
    text, comment = created_by(step.instruction, dialect)
    entry: dict[str, object] = {"created": step.at, "created_by": text}
    if comment:
        entry["comment"] = comment
    if step.layer is None:
        entry["empty_layer"] = True
    return entry
