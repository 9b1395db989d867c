"""What holds for every test."""

import gc
from typing import Final, get_args

import pytest
from hypothesis import settings

from support.database import Engine

# A loaded machine is slow now and then; how long an example takes is no property.
settings.register_profile("weighbridge", deadline=None, max_examples=25)
# For `make test-long`: --hypothesis-profile many
settings.register_profile("many", deadline=None, max_examples=400)
settings.load_profile("weighbridge")

_ENGINES: Final = get_args(Engine)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--databases",
        default="sqlite",
        help="run tests that take `engine` on each of these: sqlite,postgresql",
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Where tests run side by side, those that wait for servers and those that compute
    do so: modules of both come in turn. Those that wait come to their end first, so
    that at the last nobody waits for one of them alone."""
    if not hasattr(config, "workerinput"):
        return
    modules: dict[bool, dict[str, list[pytest.Item]]] = {True: {}, False: {}}
    for item in items:
        path = item.path.relative_to(config.rootpath)
        of_kind = modules[path.is_relative_to("tests/unit")]
        of_kind.setdefault(item.nodeid.partition("::")[0], []).append(item)
    placed = [
        (place / len(of_kind) * (1.0 if computes else 0.9), module)
        for computes, of_kind in modules.items()
        for place, module in enumerate(of_kind.values())
    ]
    placed.sort(key=lambda one: one[0])
    items[:] = [item for _, module in placed for item in module]


def pytest_collection() -> None:
    """Thousands of tests are found, and stay: looking for garbage among them again and
    again takes a quarter of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)
    gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that needs a database, directly or not, runs once for each engine."""
    if "engine" not in metafunc.fixturenames:
        return
    chosen = str(metafunc.config.getoption("--databases")).split(",")
    if unknown := set(chosen).difference(_ENGINES):
        raise pytest.UsageError(f"--databases knows no {', '.join(sorted(unknown))}")
    if only := metafunc.definition.get_closest_marker("only_on"):
        chosen = [engine for engine in chosen if engine in only.args]
    long_on = metafunc.definition.get_closest_marker("long_on")
    long = long_on.args if long_on else ()
    marked = [
        pytest.param(engine, marks=pytest.mark.long if engine in long else ())
        for engine in chosen
    ]
    metafunc.parametrize("engine", marked, scope="session")
