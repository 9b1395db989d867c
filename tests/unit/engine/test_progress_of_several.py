"""What is shown of registries that are crawled side by side."""

from weighbridge.engine.context.crawl_context import Progress


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
