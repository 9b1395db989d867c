"""Whether registries are read, and what reading them takes."""

from typing import Final

from dashboard_builders import colours, fields
from dashboard_builders.fields import Look
from dashboard_builders.layout import Section, Strip
from dashboard_builders.lines import Line, chart
from dashboard_builders.overview_registries import registry_label
from dashboard_builders.panels import stat
from dashboard_builders.queries import OF_REGISTRY, Selection, or_none
from dashboard_builders.shapes import Object
from dashboard_builders.tables import Column, table

_AGE: Final = Look(fields.SECONDS, "never", decimals=0)
_BAD: Final = Look(fields.COUNT, steps=fields.ANY_IS_BAD)
_WAITING: Final = Look(fields.COUNT, steps=fields.ANY_IS_WORTH_A_LOOK)
_UP: Final = {0: ("down", colours.OVER), 1: ("up", colours.NONE)}


def crawls(registries: Selection) -> Section:
    return Section(
        "Crawls: how old the numbers are, and what they cost",
        [
            Strip(6, [_table(registries)]),
            Strip(7, [_requests(registries), _failures(registries)]),
            Strip(
                8, [_bytes(registries), _latency(registries), _allowance(registries)]
            ),
            Strip(4, _costs(registries)),
        ],
    )


def _table(registries: Selection) -> Object:
    age = registries.age("weighbridge_crawl_last_success_timestamp_seconds")
    interval = registries.latest("weighbridge_crawl_interval_seconds")
    failing = registries.of("weighbridge_registry_repositories_failing")
    return table(
        "Age of the data by registry",
        "Whether the last crawl reached the registry, how long ago a repository of it"
        " was last crawled in full, and what is still open. Late from one and a half"
        " crawl intervals, stale from two and a half.",
        [registry_label()],
        [
            Column(
                "State",
                registries.latest("weighbridge_registry_up"),
                Look(fields.NUMBER, "no crawl yet", words=_UP),
                "color-background",
            ),
            Column("Age of data", age, _AGE),
            Column(
                "In intervals",
                f"({age}) / {interval}",
                Look(fields.NUMBER, "never", fields.INTERVALS, decimals=1),
                "color-background",
            ),
            Column("Crawl interval", interval, Look(fields.SECONDS, decimals=0)),
            Column(
                "Oldest repository",
                registries.age("weighbridge_crawl_oldest_audit_timestamp_seconds"),
                _AGE,
            ),
            Column(
                "Not crawled yet",
                registries.latest("weighbridge_crawl_repositories_pending"),
                _WAITING,
                "color-background",
            ),
            Column(
                "Not read to the end",
                f"sum by (registry) (max by (registry, state) ({failing}))",
                _WAITING,
                "color-background",
            ),
            Column(
                "Removals held",
                registries.latest("weighbridge_registry_removals_held"),
                _BAD,
                "color-background",
            ),
        ],
        sort="In intervals",
        empty="No registry has been crawled yet",
    )


def _requests(registries: Selection) -> Object:
    return chart(
        "Requests to registries",
        "Answers of registries and their token servers, by status. 429 means that a"
        " registry asks for fewer requests.",
        [
            Line(
                "{{registry}} {{code}}",
                registries.rate(
                    "weighbridge_registry_requests_total", "registry", "code"
                ),
            )
        ],
        Look(fields.REQUESTS_A_SECOND, "no requests yet"),
        steps=False,
    )


def _failures(registries: Selection) -> Object:
    return chart(
        "Failures",
        "Requests without a usable answer, and crawls that were not completed, by"
        " reason; `none` where nothing failed. The very first failed request of a kind"
        " has no rate yet.",
        [
            Line(
                "{{registry}} requests: {{reason}}",
                _failing(registries, "weighbridge_registry_request_failures_total"),
            ),
            Line(
                "{{registry}} crawls: {{reason}}",
                _failing(registries, "weighbridge_crawl_failures_total"),
            ),
        ],
        Look(fields.EVENTS_A_SECOND, "no crawl yet"),
        steps=False,
    )


def _failing(registries: Selection, metric: str) -> str:
    crawls = registries.rate("weighbridge_crawl_runs_total", "registry")
    return or_none(registries.rate(metric, "registry", "reason"), crawls, OF_REGISTRY)


def _bytes(registries: Selection) -> Object:
    return chart(
        "Read from registries",
        "Bytes of bodies that were read: manifests, configs, listings and the ends of"
        " layers.",
        [
            Line(
                "{{registry}}",
                registries.rate(
                    "weighbridge_registry_response_bytes_total", "registry"
                ),
            )
        ],
        Look(fields.BYTES_A_SECOND, "no requests yet"),
        steps=False,
    )


def _latency(registries: Selection) -> Object:
    buckets = registries.rate(
        "weighbridge_registry_request_duration_seconds_bucket", "registry", "le"
    )
    return chart(
        "95 % of requests are answered within",
        "From sending a request to the end of its answer; our own waiting is left out."
        " A gap where nothing was asked.",
        [Line("{{registry}}", f"histogram_quantile (0.95, {buckets})")],
        Look(fields.SECONDS, "no requests yet"),
        steps=False,
    )


def _allowance(registries: Selection) -> Object:
    left = registries.least("weighbridge_registry_ratelimit_remaining")
    limit = registries.latest("weighbridge_registry_ratelimit_limit")
    return chart(
        "Request allowance left",
        "Of the requests that a registry allows in its window, the part that is left,"
        " where the registry says so.",
        [Line("{{registry}}", f"{left} / {limit}")],
        Look(fields.RATIO, "No registry states a limit"),
    )


def _costs(registries: Selection) -> list[Object]:
    unchanged = registries.increase("weighbridge_crawl_manifests_unchanged_total")
    looked_up = registries.increase("weighbridge_crawl_manifests_total")
    return [
        stat(
            "Read in the shown time",
            "Bytes that were read from registries for all these figures: no layer is"
            " pulled.",
            registries.increase("weighbridge_registry_response_bytes_total"),
            Look(fields.BYTES, "no requests yet", calm=colours.OWN),
        ),
        stat(
            "Tags crawled",
            "Tags that registries were asked for in the shown time.",
            looked_up,
            Look(fields.COUNT, "no crawl yet", calm=colours.OWN, decimals=0),
        ),
        stat(
            "Of these unchanged",
            "The part of the crawled tags whose digest has not changed.",
            # Nothing divided by nothing would be shown as NaN.
            f"{unchanged} / ({looked_up} > 0)",
            Look(fields.RATIO, "no crawl in this time", decimals=0),
        ),
        stat(
            "Digests that did not match",
            "Contents in the shown time whose hash is not the digest that was asked"
            " for. Anything above 0: check the registry or the cache before it.",
            registries.increase("weighbridge_integrity_errors_total"),
            Look(fields.COUNT, "no crawl yet", fields.ANY_IS_BAD, decimals=0),
        ),
    ]
