"""Jinja with everything escaped, and the few functions that templates may call."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from weighbridge import __version__
from weighbridge.domain.base.names import name_in_from
from weighbridge.domain.image.digest import short
from weighbridge.domain.policy.quantity import amount_in_words
from weighbridge.domain.size.weighing import rfc3339
from weighbridge.domain.text.units import format_bytes, split_bytes, written_bytes
from weighbridge.presentation.forms.phrases import plural, signed
from weighbridge.presentation.rows.report_rows import stand_in
from weighbridge.web.views.words import (
    ago,
    amount,
    amount_of_row,
    compressed,
    confidence_sentence,
    percent,
    pull_time,
    summary,
)

TEMPLATES: Final = Path(__file__).parent.parent / "templates"


def render(template: str, **values: object) -> str:
    """The page. An undefined name is an error, never an empty place."""
    return _ENVIRONMENT.get_template(template).render(**values)


def thousands(number: int) -> str:
    """`1,082,700,595`."""
    return f"{number:,}"


def url_value(text: object) -> str:
    """A value for a query string; slashes and colons stay readable."""
    return quote(str(text), safe="/:@")


def short_type(media_type: str) -> str:
    """`…image.layer.v1.tar+gzip`: without the part that all of a family share."""
    for family in ("application/vnd.oci.", "application/vnd.docker."):
        if media_type.startswith(family):
            return f"…{media_type.removeprefix(family)}"
    return media_type


def breakable(name: str) -> Markup:
    """The name, which may break after each slash and colon and nowhere else."""
    # The text is escaped before the marks go in, so no part of it is taken as HTML.
    text = str(escape(name)).replace("/", "/<wbr>").replace(":", ":<wbr>")
    return Markup(text)  # noqa: S704 - escaped on the line above


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(split_bytes=split_bytes, version=__version__)
    environment.filters.update(
        thousands=thousands,
        limit_amount=lambda number, key: amount_in_words(key, number),
        url=url_value,
        breakable=breakable,
        change=signed,
        in_from=name_in_from,
        short_type=short_type,
        format_bytes=format_bytes,
        rfc3339=rfc3339,
        ago=ago,
        plural=plural,
        short=short,
        percent=percent,
        summary=summary,
        pull_time=pull_time,
        compressed=compressed,
        uncompressed=amount,
        amount_of_row=amount_of_row,
        stand_in=stand_in,
        written=written_bytes,
        confidence=confidence_sentence,
    )
    return environment


_ENVIRONMENT: Final = _environment()
