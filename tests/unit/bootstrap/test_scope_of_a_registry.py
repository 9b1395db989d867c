"""What of a configured registry is looked at."""

from weighbridge.bootstrap.registries.sites import scope_of
from weighbridge.bootstrap.registries.targets import Target
from weighbridge.config import RegistrySettings, RepositorySettings

URL = "https://registry.example.com"


def target(*include: str, exclude: tuple[str, ...] = ()) -> Target:
    repositories = RepositorySettings(include=include, exclude=exclude)
    settings = RegistrySettings(name="team", url=URL, repositories=repositories)
    return Target("team", URL, settings)


def test_whole_names_alone_need_no_catalog() -> None:
    scope = scope_of(target("shop/api", "shop/web", exclude=("shop/w*",)))

    assert scope.only == ("shop/api",)


def test_one_pattern_wants_the_catalog_and_the_names_besides() -> None:
    scope = scope_of(target("shop/api", "data/*"))

    assert (scope.only, scope.always) == (None, ("shop/api",))
    assert scope.wants_repository("data/etl")
    assert not scope.wants_repository("shop/web")
