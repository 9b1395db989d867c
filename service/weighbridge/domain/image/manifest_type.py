"""Which kind of manifest a document is: by its own word, the header's and its form."""

from weighbridge.domain.image import media_types
from weighbridge.domain.image.descriptor import find_media_type, invalid
from weighbridge.domain.text.strict_json import Members
from weighbridge.errors import DocumentError


def manifest_type(found: Members, content_type: str) -> str:
    """The type by the document, the header and the form, which must agree.

    A vendor's type that we do not know is given back as it is.
    Raises DocumentError(ambiguous_manifest, media_type_mismatch, invalid_manifest).
    """
    _check_unambiguous(found)
    written = find_media_type(found.get("mediaType"), "the manifest").lower()
    claimed = media_types.essence(content_type)
    if media_types.is_generic(claimed):
        claimed = ""
    claimed = find_media_type(claimed, "the Content-Type")
    if written and claimed and written != claimed:
        raise _mismatch("its mediaType and the Content-Type differ")
    media_type = written or claimed or _sniffed(found)
    if media_type in media_types.KNOWN:
        _check_form(found, media_type)
    elif media_types.is_generic(media_type):
        raise invalid("its mediaType is not that of a manifest")
    return media_type


def _check_unambiguous(found: Members) -> None:
    """A document is an index or a manifest or schema 1, whatever its type says
    (image-spec, manifest.md, on the members that must not stand together)."""
    is_index = found.get("manifests") is not None
    is_schema1 = found.get("fsLayers") is not None
    is_manifest = found.get("layers") is not None or found.get("config") is not None
    if is_index + is_schema1 + is_manifest > 1:
        raise DocumentError(
            "the document is two kinds of manifest at once", code="ambiguous_manifest"
        )


def _sniffed(found: Members) -> str:
    """The type where nobody says it, as before OCI 1.0.2 and on file servers."""
    version = found.get("schemaVersion")
    if type(version) is not int or version not in (1, 2):
        raise invalid("it has neither a mediaType nor a known schemaVersion")
    if version == 1:
        return media_types.SCHEMA1
    if found.get("manifests") is not None:
        return media_types.OCI_INDEX
    config = found.get("config")
    if not isinstance(config, dict):
        raise invalid("it has neither config nor manifests")
    if config.get("mediaType") == media_types.DOCKER_CONFIG:
        return media_types.DOCKER_MANIFEST
    return media_types.OCI_MANIFEST


def _check_form(found: Members, media_type: str) -> None:
    """That the members are those of the type: a document is not read as an empty
    index because a header says so."""
    version = found.get("schemaVersion")
    expected = 1 if media_type in media_types.SCHEMA1_MANIFESTS else 2
    if version is not None and (type(version) is not int or version not in (1, 2)):
        raise invalid("its schemaVersion is not 1 or 2")
    if version is not None and version != expected:
        raise _mismatch("its schemaVersion is not that of its type")
    is_index = media_type in media_types.INDEXES
    other = ("config", "layers", "fsLayers") if is_index else ("manifests",)
    if any(found.get(name) is not None for name in other):
        raise _mismatch("its members are not those of its type")


def _mismatch(why: str) -> DocumentError:
    return DocumentError(
        f"the manifest is not what it claims to be: {why}", code="media_type_mismatch"
    )
