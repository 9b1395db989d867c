"""What stands around every page: navigation, how fresh the data is, and why the numbers
are not the newest, and since when, in sentences.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weighbridge.domain.access.principal import Principal
from weighbridge.domain.access.roles import USER
from weighbridge.domain.report.inventory import (
    STALE_INTERVALS,
    RegistryFreshness,
    RegistryReport,
    RepositoryReport,
)
from weighbridge.presentation.forms.phrases import plural
from weighbridge.web.views.words import ago, duration


def rate_limit_words(registry: RegistryReport, now: datetime) -> str:
    """`52 of 100 left in 6 h, 12 min ago`; "" where it has told no limit."""
    limit, remaining = registry.rate_limit, registry.rate_limit_remaining
    window_s, seen_at = registry.rate_limit_window_s, registry.rate_limit_seen_at
    if limit is None:
        return ""
    words = f"{limit:,}" if remaining is None else f"{remaining:,} of {limit:,} left"
    if window_s is not None:
        words += f" in {duration(window_s)}"
    return words if seen_at is None else f"{words}, {ago(seen_at, now)}"


def who_line(principal: Principal) -> str:
    """`alice@example.org, sees shop and web`; "" where it is not known who asks."""
    if not principal.is_known:
        return ""
    name = principal.name.removeprefix(USER)
    if principal.teams is None:
        return f"{name}, sees all" + (" and may change it" * principal.is_admin)
    return f"{name}, sees {' and '.join(sorted(principal.teams)) or 'nothing'}"


_REGISTRY_WORDS: Final[dict[str, str]] = {
    "unauthorized": "refuses us since",
    "unreachable": "cannot be reached since",
    "error": "answers with errors since",
    "unconfigured": "has not been configured since",
}
_FAILED: Final = ("missing", "unauthorized", "unreachable", "error", "deleted")
_REPOSITORY_WORDS: Final[dict[str, tuple[str, str]]] = {
    "new": ("weighing", "No crawl of it was complete yet"),
    "partial": ("partial", "Not all of it is read{since}{why}"),
    "missing": (
        "missing",
        "The registry says{since} that there is no such repository{why}; it counts "
        "as deleted after more such answers",
    ),
    "deleted": ("deleted", "The registry no longer has it{since}{why}"),
    "unauthorized": ("refused", "The registry refuses us{since}{why}"),
    "unreachable": ("unreachable", "There is no answer{since}{why}"),
    "error": ("failed", "What it answers cannot be used{since}{why}"),
}
# What a code alone does not say.
_REASONS: Final[dict[str, str]] = {
    "too_many_tags": "it has more tags than are read of one repository, and none of "
    "them is ever taken for deleted",
    "removals_held": "more than half of its tags are missing at once, which a second "
    "crawl has to confirm before they are deleted",
    "rate_limited": "the registry asks us to come back later",
    "process_ended": "a crawl was cut short by the end of its process",
}


class Banner(Struct, frozen=True):
    """Something to know before the numbers below it; they stay as they were."""

    title: str
    text: str
    is_bad: bool


def reload_banner(since: datetime) -> Banner:
    """That the policies in force are not what their files say now."""
    text = (
        f"could not be read again since {_moment(since)}: a file has a fault. Those "
        "from before are still in force. The log and `weighbridge config check` name "
        "the fault."
    )
    return Banner("Policies", text, True)


def registry_banners(registry: RegistryReport, now: datetime) -> list[Banner]:
    """What is wrong with a registry, for a list of its repositories."""
    banners: list[Banner] = []
    if registry.state in _REGISTRY_WORDS:
        banners.append(_of_all(registry, now))
    if registry.state == "unconfigured":
        return banners
    banners.extend(_held(registry))
    if any(registry.failing.values()):
        banners.append(_failing(registry, now))
    if registry.tags_failed:
        text = (
            f"{plural(registry.tags_failed, 'tag')} of {registry.tags:,} could not be "
            "read in the last crawl; their numbers are those of the crawl before."
        )
        banners.append(Banner(registry.name, text, False))
    return banners


def repository_banners(
    repository: RepositoryReport, registry: RegistryReport | None, now: datetime
) -> list[Banner]:
    """Why the numbers of one repository are old: the nearest cause, or none."""
    known = _known(repository.last_complete_crawl_at, now)
    if registry is not None and registry.state == "unconfigured":
        text = f"{_since(registry)}. {known}"
        return [Banner(registry.name, text, False)]
    if repository.state in _FAILED:
        word, sentence = repository_state(repository)
        if repository.state == "deleted":
            known = _seen_whole(repository, now)
        return [Banner(word, f"{sentence}. {known}", True)]
    if registry is not None and _is_cut_off(repository, registry):
        return [Banner(registry.name, f"{_since(registry)}. {known}", True)]
    if repository.state == "partial":
        word, sentence = repository_state(repository)
        text = f"{sentence}. {_seen_whole(repository, now)}"
        return [Banner(word, text, True)]
    if repository.state == "ok" and repository.is_stale(now):
        every = duration(repository.interval_s)
        text = f"{known} It is to be crawled every {every}."
        return [Banner("stale", text, False)]
    return []


def repository_state(report: RepositoryReport) -> tuple[str, str]:
    """A word and a sentence; both empty where the last crawl was complete."""
    if report.state == "ok" and report.tags_failed:
        count = plural(report.tags_failed, "tag")
        return "partial", f"{count} could not be read in the last crawl"
    word, sentence = _REPOSITORY_WORDS.get(report.state, ("", ""))
    return word, sentence.format(since=_begun(report), why=_why(report))


def _begun(report: RepositoryReport) -> str:
    return f" since {_moment(report.state_since)}" if report.state_since else ""


def _why(report: RepositoryReport) -> str:
    reason = report.state_reason
    if not reason or reason == report.state:
        return ""
    words = _REASONS.get(reason)
    return f": {words} ({reason})" if words else f" ({reason})"


def _held(registry: RegistryReport) -> Iterator[Banner]:
    until = "They stay until a second complete crawl agrees."
    if registry.repositories_held:
        held = plural(registry.repositories_held, "repository", "repositories")
        text = f"did not list {held} any more the last time, more than half at once."
        yield Banner(registry.name, f"{text} {until}", True)
    if others := registry.removals_held - registry.repositories_held:
        held = plural(others, "repository", "repositories")
        text = f"{held} did not list more than half of the tags any more the last time."
        yield Banner(registry.name, f"{text} {until}", True)


def _failing(registry: RegistryReport, now: datetime) -> Banner:
    """How many repositories are not seen whole, by the words of their rows."""
    failing = registry.failing
    count = plural(sum(failing.values()), "repository", "repositories")
    by_state = ", ".join(
        f"{number:,} {_REPOSITORY_WORDS[state][0]}"
        for state, number in failing.items()
        if number
    )
    text = (
        f"{count} of {registry.repositories:,} could not be read to the end in the "
        f"last crawl ({by_state}); what was known is kept."
    )
    if (oldest := registry.oldest_crawl_at) is not None:
        text += f" The oldest numbers are of {_moment(oldest)}, {ago(oldest, now)}."
    return Banner(registry.name, text, False)


def _of_all(registry: RegistryReport, now: datetime) -> Banner:
    is_bad = registry.state != "unconfigured"
    last = registry.last_success_at
    if last is None:
        text = f"{_since(registry)}. It was never read to its end."
    else:
        kept = plural(registry.repositories, "repository", "repositories")
        verb = "shows" if registry.repositories == 1 else "show"
        text = f"{_since(registry)}. Its {kept} {verb} what was known {ago(last, now)}."
    return Banner(registry.name, text, is_bad)


def _since(registry: RegistryReport) -> str:
    words = _REGISTRY_WORDS[registry.state]
    moment = registry.state_since
    if moment is None:
        words = words.removesuffix(" since")
    else:
        words = f"{words} {_moment(moment)}"
    return f"{words} ({registry.state_reason})" if registry.state_reason else words


def _known(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "It was never read to its end."
    return f"The numbers are of {_moment(moment)}, {ago(moment, now)}."


def _seen_whole(repository: RepositoryReport, now: datetime) -> str:
    whole = repository.last_complete_crawl_at
    last = "never" if whole is None else f"{_moment(whole)}, {ago(whole, now)}"
    return f"It was last crawled in full: {last}."


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _is_cut_off(repository: RepositoryReport, registry: RegistryReport) -> bool:
    """Whether the registry fails and the repository was not read since it does.

    A registry whose catalog is closed may still serve the repositories that it is
    asked for by name.
    """
    if registry.state not in _REGISTRY_WORDS:
        return False
    last, since = repository.last_complete_crawl_at, registry.state_since
    return last is None or since is None or last < since


Freshness: TypeAlias = Literal[
    "fresh", "late", "stale", "waiting", "failing", "unconfigured"
]

Registry: TypeAlias = RegistryReport | RegistryFreshness

_LATE: Final = 1.5
"""Times the interval: one run is overdue. From STALE_INTERVALS on one was missed."""
NAVIGATION: Final = (
    ("/", "Overview"),
    ("/bases", "Bases"),
    ("/violations", "Violations"),
    ("/compare", "Compare"),
    ("/crawls", "Crawls"),
)


class RegistryLine(Struct, frozen=True):
    """One registry's freshness in words."""

    name: str
    freshness: Freshness
    words: str
    title: str
    every: str


class Frame(Struct, frozen=True):
    """path:   the page that is shown, marked in the navigation
    query:  what the search field holds
    pill:   freshness of all registries in two or three words, with an icon
    now:    when the page was made
    twin:   address of the page's JSON without its suffix, "" for none
    banner: of what concerns every page
    """

    path: str
    query: str
    pill: str
    pill_title: str
    pill_icon: str
    now: datetime
    twin: str = ""
    twin_query: str = ""
    refresh_s: int | None = None
    banner: Banner | None = None


def frame(
    path: str, registries: Sequence[Registry], now: datetime, query: str = ""
) -> Frame:
    """The frame of one page; `msgspec.structs.replace` adds the rest."""
    lines = [registry_line(registry, now) for registry in registries]
    pill, pill_icon = _pill(lines)
    return Frame(
        path=path,
        query=query,
        pill=pill,
        pill_title=". ".join(f"{line.name}: {line.title}" for line in lines),
        pill_icon=pill_icon,
        now=now,
    )


def registry_line(registry: Registry, now: datetime) -> RegistryLine:
    """How fresh one registry's data is."""
    every = f"every {duration(registry.interval_s)}"
    last = registry.last_success_at
    if registry.state == "unconfigured":
        title = f"no longer configured, every number is from {_age(last, now)}"
        words = "not configured"
        return RegistryLine(
            registry.name, "unconfigured", words, title, "no longer crawled"
        )
    if registry.state not in ("ok", "new"):
        title = f"{registry.state}, every number is from {_age(last, now)}"
        return RegistryLine(registry.name, "failing", registry.state, title, every)
    if last is None:
        title = f"first crawl has not ended, {every}"
        return RegistryLine(registry.name, "waiting", "first crawl", title, every)
    words = ago(last, now)
    freshness = _freshness(registry, last, now)
    return RegistryLine(registry.name, freshness, words, f"{words}, {every}", every)


def _age(moment: datetime | None, now: datetime) -> str:
    return "no crawl yet" if moment is None else ago(moment, now)


def _freshness(registry: Registry, last: datetime, now: datetime) -> Freshness:
    intervals = (now - last).total_seconds() / max(1, registry.interval_s)
    if intervals > STALE_INTERVALS:
        return "stale"
    return "late" if intervals > _LATE else "fresh"


def _pill(every_line: Sequence[RegistryLine]) -> tuple[str, str]:
    lines = [line for line in every_line if line.freshness != "unconfigured"]
    if not lines:
        return "not configured" if every_line else "no registry yet", "unk"
    failing = sum(line.freshness == "failing" for line in lines)
    stale = sum(line.freshness in ("late", "stale") for line in lines)
    if failing:
        return f"{failing} of {len(lines)} failing", "near"
    if stale:
        return f"{stale} of {len(lines)} stale", "near"
    if all(line.freshness == "waiting" for line in lines):
        return "first crawl", "unk"
    first = next(line for line in lines if line.freshness == "fresh")
    return f"{first.name}: {first.words}" if len(lines) == 1 else "all fresh", "ok"
