"""What a person names, as registries and repositories to crawl, and how one is reached
that is not configured.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from weighbridge.bootstrap.kinds import KINDS
from weighbridge.config import RegistrySettings, Settings, is_loopback
from weighbridge.config.registries.registry_settings import AUTO
from weighbridge.config.value.written_address import host_of, prefix_of
from weighbridge.domain.base.base_repositories import BasePlace, BaseRepository
from weighbridge.domain.image.digest import is_digest
from weighbridge.domain.image.reference import (
    DOCKER_HUB,
    DOCKER_HUB_NAMES,
    Reference,
    fault_of_name,
    is_repository_name,
    is_tag,
    parse_reference,
    without_login,
)
from weighbridge.domain.registry.listing import main_url, registry_address
from weighbridge.domain.text.globs import matches
from weighbridge.domain.text.printable import Secret
from weighbridge.errors import InvalidReference, UsageError
from weighbridge.registry.exchange.endpoint import no_registry, registry_url
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS
from weighbridge.registry.login.credentials import Credential
from weighbridge.registry.login.docker_config import DockerLogin

_HUB_KIND: Final = "dockerhub"
_HOW: Final = "--password-stdin, --password-file FILE, or `docker login`"


class AddressAccess(Struct, frozen=True):
    """What a person says beside an address.

    plain_http: None: loopback speaks http, all others https
    ca_file:    authorities that its certificate may be from; None: the system's
    user:       who asks; None: whoever `docker login` has left there
    password:   None: the one that `docker login` has left for this user
    """

    plain_http: bool | None = None
    ca_file: str | None = None
    user: str | None = None
    password: Secret | None = None

    @property
    def is_of_an_address(self) -> bool:
        """Whether it says what a configured registry has keys for."""
        return self.ca_file is not None or self.user is not None


PLAIN: Final = AddressAccess()
"""Nothing was said."""


def login_of(
    access: AddressAccess, host: str, docker: Callable[[], DockerLogin]
) -> DockerLogin:
    """Who asks this host, where nothing is configured.

    docker: what `docker login` has left for it, asked only where it matters
    Raises UsageError(no_password) for a user whose password nobody gave.
    """
    if access.user is not None and access.password is not None:
        return DockerLogin(Credential(access.user, access.password))
    login = docker()
    return login if access.user is None else _checked(login, access.user, host)


def _checked(docker: DockerLogin, user: str, host: str) -> DockerLogin:
    """The login of this user, and of nobody else."""
    found = docker.credential
    if found is not None and found.password and found.username == user:
        return docker
    why = f"`docker login` has left none for {host}"
    if docker.warning is not None:
        why = docker.warning.message
    elif found is not None and found.username:
        why = f"`docker login` has left the one of {found.username!r} for {host}"
    raise UsageError(
        f"there is no password for the user {user!r}: {why}",
        code="no_password",
        hint=f"give it by {_HOW}",
    )


class Target(Struct, frozen=True):
    """One registry to crawl, configured or given ad hoc.

    name:     as it is stored and shown
    url:      http(s)://host[:port], of an entry with its path
    settings: None for an address that is not configured
    only:     these repositories, None for all
    access:   how an address that is not configured is reached
    """

    name: str
    url: str
    settings: RegistrySettings | None
    only: tuple[str, ...] | None = None
    access: AddressAccess = PLAIN


def kind_of(target: Target) -> str:
    """How this registry is spoken to."""
    kind = AUTO if target.settings is None else target.settings.kind
    return KINDS.kind_of(kind, target.url)


def is_left_to_us(target: Target) -> bool:
    """Whether it is an entry of which neither its kind is written nor its host tells
    it. An address that is not configured is asked by the specification alone: nobody
    has said what a kind may have to be told."""
    configured = target.settings
    if configured is None or configured.kind != AUTO:
        return False
    return KINDS.kind_of_host(host_of(target.url)) is None


def find_targets(
    settings: Settings, texts: Sequence[str], access: AddressAccess = PLAIN
) -> list[Target]:
    """What a person named: configured names, `name/repository`, or addresses; all
    that is configured where nothing is named. Several repositories of one registry
    become one target.

    access: of the addresses; who asks is said of one registry alone
    Raises UsageError(unknown_target, nothing_configured, misplaced_access).
    """
    if not texts:
        if not settings.registries:
            raise UsageError(
                "no registry is configured and none was named",
                code="nothing_configured",
                hint="weighbridge crawl 127.0.0.1:5000, or add it to weighbridge.yaml",
            )
        everything = [Target(r.name, r.url, r) for r in settings.registries]
        refuse_misplaced(access, everything)
        return everything
    found: dict[str, Target] = {}
    for text in texts:
        for target in _meant(settings, text, access):
            found[target.name] = _joined(found.get(target.name), target)
    refuse_misplaced(access, list(found.values()))
    return list(found.values())


def refuse_misplaced(access: AddressAccess, targets: Sequence[Target]) -> None:
    """Raises UsageError(misplaced_access) where a user or an authority is named that
    would not be used, or that several registries would see."""
    if not access.is_of_an_address:
        return
    bare = [target for target in targets if target.settings is None]
    options = "--user and --ca-file are for an address that is not configured"
    if not bare:
        names = ", ".join(target.name for target in targets)
        raise UsageError(
            f"{options}, and {names} is configured",
            code="misplaced_access",
            hint="set `auth` and `ca_file` of it in weighbridge.yaml",
        )
    if len(bare) > 1 and access.user is not None:
        names = " and ".join(target.name for target in bare)
        raise UsageError(
            f"--user is of one registry, and {names} are {len(bare)}",
            code="misplaced_access",
            hint="name one registry at a time, or configure them",
        )


def _parsed_target(settings: Settings, text: str, access: AddressAccess) -> Target:
    before, at, last = text.rpartition("@")
    if at and ("@" in before or not is_digest(last)):
        # A password may hold a slash: what is cut out of it must not be shown.
        raise no_registry(text)
    scheme, separator, rest = text.rpartition("://")
    host, _, repository = rest.partition("/")
    repository = repository.rstrip("/")
    if separator and repository == "v2":
        # The address of the API itself, as it is copied from a browser.
        repository = ""
    if separator:
        url = _url(f"{scheme}://{host}")
        target = _at(settings, host, url, access, repository)
        _refuse_below(settings, target, repository)
    else:
        target = target_of(settings, host, access, repository)
    if repository:
        repository = _full_name(target, repository)
    if repository and not is_repository_name(repository):
        raise _no_repository(text, repository)
    only = (repository,) if repository else None
    return replace(target, only=only)


def _no_repository(text: str, repository: str) -> UsageError:
    """With what is wrong in it, and the target that may be meant."""
    name, follows = _bare_name(repository)
    why = f"{follows} follows its name" if follows else fault_of_name(repository)[0]
    hint = "name/repository, such as hub/library/python"
    if is_repository_name(name.lower()):
        hint = text.rstrip("/").removesuffix(repository) + name.lower()
    return UsageError(
        f"{text!r} names no repository: {why}", code="unknown_target", hint=hint
    )


def _bare_name(repository: str) -> tuple[str, str]:
    """The name of what was written as an image, and what follows it, "" for nothing."""
    name, at, digest = repository.rpartition("@")
    if at and is_digest(digest):
        return name, "a digest"
    name, colon, tag = repository.rpartition(":")
    if colon and is_tag(tag):
        return name, "a tag"
    return repository, ""


def image_of(
    settings: Settings, text: str, access: AddressAccess = PLAIN
) -> tuple[Reference, Target]:
    """The image that a person named, and its registry. A scheme may stand before an
    address, as in a browser; it is then the registry's.

    Raises InvalidReference and UsageError(unknown_target, invalid_registry).
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("http", "https"):
        refuse_registry(text)
        reference = parse_reference(text, settings.names | settings.entries)
        return reference, _holding(settings, reference, access)
    refuse_registry(rest, scheme)
    reference = parse_reference(rest)
    # A first component that is no host would be a user of Docker Hub.
    if rest.partition("/")[0].lower() not in (reference.registry, *DOCKER_HUB_NAMES):
        parse_reference(text)
    access = replace(access, plain_http=scheme == "http")
    return reference, _holding(settings, reference, access)


def _holding(settings: Settings, reference: Reference, access: AddressAccess) -> Target:
    return target_of(settings, reference.registry, access, reference.repository)


def target_of(
    settings: Settings, name: str, access: AddressAccess = PLAIN, repository: str = ""
) -> Target:
    """The registry of a configured name or an address. An address that is configured
    is that registry: its settings and credentials hold, and it is stored once.

    repository: what is asked for there, "" for all of it
    Raises UsageError(unknown_target, invalid_registry).
    """
    refuse_several(settings, name)
    configured = settings.find_registry(name)
    if configured is not None:
        return Target(configured.name, configured.url, configured)
    if "." not in name and ":" not in name and name != "localhost":
        known = ", ".join(sorted(settings.names)) or "none"
        raise UsageError(
            f"no registry is called {name!r}",
            code="unknown_target",
            hint=f"configured  {known}\n"
            "write an address with a port or a dot, such as localhost:5000",
        )
    # No scheme was said: a registry that is configured with the other one is meant too.
    said = access.plain_http
    schemes = (None, True, False) if said is None else (said,)
    urls = [_url(name, plain_http=scheme) for scheme in schemes]
    found = [_at(settings, name, url, access, repository) for url in urls]
    target = next((target for target in found if target.settings), found[0])
    _refuse_below(settings, target, repository)
    return target


def refuse_registry(text: str, scheme: str = "") -> None:
    """Raises InvalidReference for an address without a repository, which would be
    read as an image of Docker Hub: `127.0.0.1:5000` as the tag 5000.

    scheme: what stood before it
    """
    address = text.rstrip("/")
    host, _, port = address.rpartition(":")
    if "/" in address or (host and not port.isdecimal()):
        return
    host = host or address
    # No official image has a dot in its name, and no tag is meant where one follows.
    if is_loopback(host.strip("[]")) or "." in host:
        raise InvalidReference(
            f"{without_login(text)!r} is a registry, not an image",
            hint=f"weighbridge crawl {f'{scheme}://' if scheme else ''}{address}",
        )


def _at(
    settings: Settings, name: str, url: str, access: AddressAccess, repository: str
) -> Target:
    """What is configured at this address: of several entries the one that crawls the
    repository, so that its credential is used."""
    entries = _entries_at(settings, url)
    wanting = (e for e in entries if _wants(e, repository))
    configured = next(wanting, entries[0] if entries else None)
    if configured is None:
        return Target(name, url, None, access=access)
    return Target(configured.name, configured.url, configured)


def _wants(entry: RegistrySettings, repository: str) -> bool:
    name = _full_name(Target(entry.name, entry.url, entry), repository)
    return matches(entry.wanted_repositories, name)


def _full_name(target: Target, repository: str) -> str:
    return REGISTRY_KINDS[kind_of(target)].full_name(repository)


def _url(address: str, *, plain_http: bool | None = None) -> str:
    """See `registry_url`; a host that is known to be another is that one."""
    return main_url(registry_url(address, plain_http=plain_http), KINDS.hosts)


def _entries_at(settings: Settings, url: str) -> list[RegistrySettings]:
    """Names are not looked up: `localhost` and 127.0.0.1 stay different."""
    wanted = address_of(url)
    return [e for e in settings.registries if address_of(e.url) == wanted]


def address_of(url: str) -> str:
    """What the registry at this URL is known by, whatever its host is called."""
    return registry_address(url, KINDS.hosts)


def prefixes_beside(settings: Settings, target: Target) -> frozenset[str]:
    """Prefixes of the other entries at the host of a target."""
    origin = address_of(_without_prefix(target.url))
    there = (e for e in settings.registries if e.prefix)
    found = {e.prefix for e in there if address_of(_without_prefix(e.url)) == origin}
    return frozenset(found - {prefix_of(target.url)})


class BasesToCrawl(Struct, frozen=True):
    """What `bases` names.

    at:      by the name of the registry that is asked
    nowhere: those whose registry is not configured, which nobody is asked for
    twice:   those that are called in `FROM` what another one is, each with the
             registry that is asked for that one
    """

    at: Mapping[str, tuple[BasePlace, ...]]
    nowhere: tuple[BaseRepository, ...]
    twice: tuple[tuple[BaseRepository, str], ...] = ()


def base_repositories(settings: Settings) -> BasesToCrawl:
    """Where each repository that `bases` names is asked for: at its own registry, else
    at the first that is `mirror_of` it. Of two that are one name in `FROM`, which leads
    to one image, one is asked: the registry itself before its mirrors."""
    found: dict[BaseRepository, tuple[RegistrySettings, BasePlace]] = {}
    nowhere: list[BaseRepository] = []
    for base in settings.base_repositories:
        entry = _registry_of_base(settings, base)
        if entry is None:
            nowhere.append(base)
            continue
        name = _full_name(Target(entry.name, entry.url, entry), base.repository)
        is_named = base.registry == entry.name
        host = host_in_from(entry) if is_named else base.registry
        found[base] = entry, BasePlace(name, host, name)
    asked: dict[tuple[str, str], RegistrySettings] = {}
    for entry, place in found.values():
        before = asked.setdefault((place.host, place.repository), entry)
        if before.mirror_of is not None and entry.mirror_of is None:
            asked[place.host, place.repository] = entry
    at: dict[str, dict[BasePlace, None]] = {}
    twice: list[tuple[BaseRepository, str]] = []
    for base, (entry, place) in found.items():
        name = asked[place.host, place.repository].name
        if name == entry.name:
            at.setdefault(name, {})[place] = None
        else:
            twice.append((base, name))
    places = {name: tuple(some) for name, some in at.items()}
    return BasesToCrawl(places, (*nowhere,), (*twice,))


def host_in_from(entry: RegistrySettings) -> str:
    """What people write of a registry in `FROM`: `docker.io` of Docker Hub and of what
    mirrors it, `host[:port]` of any other."""
    if entry.mirror_of is not None:
        host = entry.mirror_of
    elif kind_of(Target(entry.name, entry.url, entry)) == _HUB_KIND:
        return DOCKER_HUB
    else:
        host = urlsplit(entry.url).netloc
    main = KINDS.hosts.get(DOCKER_HUB)
    return DOCKER_HUB if KINDS.hosts.get(host, host) == main else host


def _registry_of_base(
    settings: Settings, base: BaseRepository
) -> RegistrySettings | None:
    name = base.registry
    if settings.parts_of(name):
        return None  # Which of them is meant, nobody says.
    configured = settings.find_registry(name)
    if configured is not None:
        return configured
    urls = (_url(name, plain_http=plain) for plain in (None, True, False))
    found = (_at(settings, name, url, PLAIN, base.repository) for url in urls)
    configured = next((at.settings for at in found if at.settings), None)
    if configured is not None:
        return configured
    return next((r for r in settings.registries if host_in_from(r) == name), None)


def _without_prefix(url: str) -> str:
    return url.removesuffix(prefix_of(url))


def _refuse_below(settings: Settings, target: Target, path: str) -> None:
    """A reference names what is at the root of a host, as docker reads it. Raises
    UsageError(unknown_target) where nothing is configured there, and what follows
    begins as the path of an entry does: that one is meant, by its name."""
    if target.settings is not None:
        return
    host = urlsplit(target.url).netloc
    for entry in settings.registries:
        if not entry.prefix or urlsplit(entry.url).netloc != host:
            continue
        if f"/{path}/".startswith(f"{entry.prefix}/"):
            rest = f"/{path}".removeprefix(entry.prefix).strip("/")
            raise UsageError(
                f"{host}{entry.prefix} is the registry {entry.name}, and an address"
                " names what is at the root of its host",
                code="unknown_target",
                hint=f"write  {entry.name}{f'/{rest}' if rest else ''}",
            )


def alike(settings: Settings, target: Target) -> list[RegistrySettings]:
    """The configured entries with the address and the credential of a target, itself
    among them; none for an address that is not configured."""
    if target.settings is None:
        return []
    auth = target.settings.auth
    return [e for e in _entries_at(settings, target.url) if e.auth == auth] or [
        target.settings
    ]


def named_targets(settings: Settings, name: str) -> list[Target]:
    """The registry of a name or an address; all that the entry of this name is.
    Raises UsageError(unknown_target, invalid_registry)."""
    parts = settings.parts_of(name)
    return [Target(r.name, r.url, r) for r in parts] or [target_of(settings, name)]


def refuse_several(settings: Settings, name: str) -> None:
    """Raises UsageError(unknown_target) for an entry that is several registries, where
    one is to be named."""
    parts = settings.parts_of(name)
    if parts:
        raise UsageError(
            f"{name} is {len(parts)} registries, and one has to be named here",
            code="unknown_target",
            hint=f"{name} is  {', '.join(part.name for part in parts)}",
        )


def _meant(settings: Settings, text: str, access: AddressAccess) -> list[Target]:
    parts = settings.parts_of(text.rstrip("/"))
    if parts:
        return [Target(r.name, r.url, r) for r in parts]
    return _beside(settings, text, _parsed_target(settings, text, access))


def _beside(settings: Settings, text: str, target: Target) -> list[Target]:
    """Who names an address means all entries that it has."""
    if target.only or not target.settings or settings.find_registry(text.rstrip("/")):
        return [target]
    return [Target(e.name, e.url, e) for e in _entries_at(settings, target.url)]


def _joined(before: Target | None, target: Target) -> Target:
    if before is None or before.only is None:
        return before or target
    if target.only is None:
        return target
    only = tuple(dict.fromkeys((*before.only, *target.only)))
    return replace(before, only=only)
