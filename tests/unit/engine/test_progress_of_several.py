"""What is shown of registries that are crawled side by side."""

from weighbridge.engine.context.crawl_context import Progress
from weighbridge.ports.protocols import RequestCost


def test_those_that_are_still_crawled_are_named() -> None:
    progress = Progress()
    for name in "abcde":
        progress.begin(name, f"https://{name}.example")
    assert (progress.registry, progress.url) == ("a,b,c+2", "")

    for name in "abcd":
        progress.end(name)
    assert (progress.registry, progress.url) == ("e", "https://e.example")

    progress.end("e")
    assert progress.registry == "e"


def test_repositories_are_known_once_each_registry_is_listed_or_has_ended() -> None:
    progress = Progress()
    for name in ("harbor", "quay", "dead"):
        progress.begin(name, "https://r.example")
    progress.know("harbor", 3)
    progress.know("quay", 4)
    assert progress.repositories_known is None

    progress.end("dead")

    assert progress.repositories_known == 7


def test_what_is_asked_of_each_registry_is_added_up() -> None:
    progress = Progress()
    harbor, quay = RequestCost(5, 100, 1), RequestCost(5, 100, 1)

    for _ in range(2):
        progress.begin_repository("shop/api", harbor)
        progress.follow(quay)
    quay.requests += 3

    assert (progress.requests, progress.bytes_read, progress.throttled) == (13, 200, 2)


def test_a_repository_that_is_begun_is_shown_though_another_registry_measures() -> None:
    progress = Progress(stage="measuring")

    progress.begin_repository("shop/api", RequestCost())

    assert (progress.now, progress.stage) == ("shop/api", "crawling")
