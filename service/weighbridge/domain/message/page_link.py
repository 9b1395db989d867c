"""Addresses of our own pages, for whoever reads about an image somewhere else."""

from urllib.parse import urlencode

from msgspec.structs import replace

from weighbridge.domain.message.message import ViolationNotice


def with_link(told: ViolationNotice, external_url: str | None) -> ViolationNotice:
    """With the page about its image, or about its repository where no image is meant.
    Without one where nobody said how pages are reached."""
    if external_url is None:
        return told
    return replace(told, url=f"{external_url.rstrip('/')}{_path(told)}")


def _path(told: ViolationNotice) -> str:
    name = f"{told.registry}/{told.repository}"
    if not told.tag:
        return f"/repository?{urlencode({'ref': name})}"
    state = {"ref": f"{name}:{told.tag}"}
    if told.platform:
        state["platform"] = told.platform
    return f"/image?{urlencode(state)}"
