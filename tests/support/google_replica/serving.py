"""The replica on three ports of loopback, and a configuration that crawls it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from support.google_replica.answers import registry, storage
from support.google_replica.api import LOCATION, api
from support.google_replica.state import Google, key_file, signing_key
from support.vendor_hosts import vendor_host
from weighbridge.bootstrap.engine.assembly import crawl
from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import Settings, load_settings
from weighbridge.engine.context.crawl_context import Progress
from weighbridge.engine.crawl_requests.crawl_report import RegistryCrawl


@contextmanager
def google_replica(google: Google) -> Iterator[Google]:
    """Serve it; its URLs are known inside the block."""
    with ExitStack() as stack:
        google.url = stack.enter_context(vendor_host(partial(registry, google)))
        google.api_url = stack.enter_context(vendor_host(partial(api, google)))
        google.storage_url = stack.enter_context(vendor_host(partial(storage, google)))
        yield google


def google_settings(
    folder: Path,
    google: Google,
    database_url: str,
    *,
    include: Sequence[str] = ("acme/*",),
    auth: Mapping[str, str] | str | None = None,
    signs_in: bool = True,
    has_api: bool = False,
) -> Settings:
    """One registry, `google`, by way of a file; with a key file, where no `auth` is
    given."""
    private_key, google.public_key = signing_key() if has_api else ("", None)
    entry: dict[str, object] = {
        "name": "google",
        "kind": "google",
        "url": google.url,
        "repositories": {"include": list(include)},
    }
    if auth is not None:
        entry["auth"] = auth if isinstance(auth, str) else dict(auth)
    elif signs_in:
        entry["key_file"] = str(key_file(folder, private_key))
    if has_api:
        entry |= {"api_url": google.api_url, "location": LOCATION}
    path = folder / "weighbridge.yaml"
    path.write_text(json.dumps({"registries": [entry]}), encoding="utf-8")
    return load_settings(str(path), {}, KINDS, database_url=database_url)


def crawl_google(settings: Settings, *, measure: bool = False) -> RegistryCrawl:
    """One crawl."""
    report = crawl(settings, ["google"], measure=measure, progress=Progress())
    (done,) = report.registries
    return done
