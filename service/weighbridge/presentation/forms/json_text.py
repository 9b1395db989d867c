"""JSON as commands print it."""

import codecs
import json
import sys

from weighbridge.presentation.forms.json_numbers import saturated


def json_text(value: object) -> str:
    """Indented. Every text stays readable where stdout is UTF-8, as JSON is (RFC 8259
    8.1); anywhere else what is not ASCII is escaped."""
    is_ascii = not _is_utf8(sys.stdout.encoding)
    return json.dumps(saturated(value), indent=2, ensure_ascii=is_ascii)


def _is_utf8(encoding: str | None) -> bool:
    try:
        return codecs.lookup(encoding or "ascii").name in ("utf-8", "utf-8-sig")
    except LookupError:
        return False
