"""Many repositories judged together are judged as they would be one by one."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from support.court import DAY, LIMIT, MB, built, weighing
from support.crowd import Crowd
from support.database import Engine, a_database
from support.images import a_layer
from support.policies import a_policy
from support.seeds import seeds
from support.statements import counted
from weighbridge.domain.image.document import Document, Image
from weighbridge.domain.policy.policy import DEFAULT_POLICY, Policy
from weighbridge.domain.policy.waiver import NewWaiver
from weighbridge.store.violations.waivers import put_waiver

pytestmark = pytest.mark.slow

NAMES: Final = [f"acme/app-{n}" for n in range(7)]
TAGS: Final = ["latest", "main", *(f"1.{n}" for n in range(4))]
POLICIES: Final[Sequence[Sequence[Policy]]] = (
    (LIMIT,),
    (DEFAULT_POLICY,),
    (
        a_policy(
            "all",
            max_compressed=300 * MB,
            max_growth=0.25,
            min_growth=10 * MB,
            max_deduplicated=900 * MB,
            max_layer_compressed=250 * MB,
        ),
    ),
    (a_policy("layers", max_layers=2, max_uncompressed=700 * MB),),
    (a_policy("team", team="web", severity="critical", max_compressed=400 * MB),),
)


@pytest.fixture
def crowds(tmp_path: Path, engine: Engine) -> Iterator[tuple[Crowd, Crowd]]:
    """The same twice: judged together, and one by one."""
    folders = [tmp_path / "together", tmp_path / "alone"]
    for folder in folders:
        folder.mkdir()
    with (
        a_database(folders[0], engine) as first,
        a_database(folders[1], engine) as second,
    ):
        yield (
            Crowd(first, names=NAMES),
            Crowd(second, names=NAMES, is_together=False),
        )


@pytest.mark.long_on("postgresql")  # judging at once has it
@pytest.mark.parametrize("seed", seeds(0, 16, quick=2))
def test_judged_together_or_one_by_one_the_same_is_written(
    crowds: tuple[Crowd, Crowd], seed: int
) -> None:
    together, alone = crowds
    for crowd in crowds:
        rnd = random.Random(seed)  # noqa: S311 - no secret
        live(crowd, rnd)

    assert together.wrote() == alone.wrote()
    assert together.told == alone.told
    assert together.messages == alone.messages


def test_repositories_that_break_a_limit_for_one_cause_know_of_each_other(
    crowds: tuple[Crowd, Crowd],
) -> None:
    together, alone = crowds
    for crowd in crowds:
        for size in (100, 600):
            base = ("FROM base", a_layer(("base", size), size * MB))
            moves = {
                name: {"latest": built(base, ("COPY app", a_layer((name, size), MB)))}
                for name in NAMES[:3]
            }
            crowd.look_at(moves)

    causes = [together.cause(name) for name in NAMES[:3]]
    assert [cause.of for cause in causes] == ["base"] * 3
    assert len({cause.key for cause in causes}) == 1
    assert together.wrote() == alone.wrote()
    assert together.told == alone.told


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("policy", [DEFAULT_POLICY, LIMIT])
def test_more_repositories_within_their_limits_cost_no_more_statements(
    crowds: tuple[Crowd, Crowd], policy: Policy
) -> None:
    crowd, _ = crowds
    crowd.policies = [policy]
    for size in (100, 101):
        crowd.look_at(
            {name: {"latest": weighing(size, (name, size))} for name in NAMES}
        )

    of_one = statements(crowd, NAMES[:1], 102)
    of_all = statements(crowd, NAMES, 103)

    assert of_all <= of_one + 3
    assert of_one <= 36


@pytest.mark.only_on("sqlite")
def test_more_repositories_that_are_swept_or_wait_cost_no_more_statements(
    crowds: tuple[Crowd, Crowd],
) -> None:
    crowd, _ = crowds
    crowd.policies = [LIMIT]
    for size in (100, 101):
        crowd.look_at(
            {name: {"latest": weighing(size, (name, size))} for name in NAMES}
        )
    swept, waited = [], []

    for names in (NAMES[:1], NAMES):
        with counted() as made:
            crowd.sweep([crowd.ids[name] for name in names])
        swept.append(len(made))
        moves = {name: {"latest": weighing(102, (name, len(names)))} for name in names}
        crowd.look_at(moves)
        with counted() as made:
            crowd.judge_waiting()
        waited.append(len(made))

    assert swept[1] <= swept[0] + 1
    assert waited[1] <= waited[0] + 3


@pytest.mark.only_on("sqlite")
def test_a_repository_that_breaks_its_limit_costs_its_own_row_and_its_notice(
    crowds: tuple[Crowd, Crowd],
) -> None:
    crowd, _ = crowds
    for size in (100, 101):
        crowd.look_at(
            {name: {"latest": weighing(size, (name, size))} for name in NAMES}
        )

    kept = statements(crowd, NAMES, 102)
    broken = statements(crowd, NAMES, 600)

    assert sum(len(crowd.rows(name)) for name in NAMES) == len(NAMES)
    assert broken - kept <= 18 * len(NAMES)


def statements(crowd: Crowd, names: Sequence[str], size: int) -> int:
    """Those of judging one tag that was moved in each of these repositories."""
    crowd.now += DAY
    with crowd.database.write() as connection:
        for name in names:
            moved = {"latest": weighing(size, (name, size))}
            crowd.move(connection, crowd.ids[name], moved, ())
        with counted() as made:
            crowd.judge_all(connection)
    crowd.claims.clear()
    return len(made)


def live(crowd: Crowd, rnd: random.Random) -> None:
    """Tags that come, move and go, while policies change and messages are sent."""
    for step in range(12):
        if rnd.random() < 0.25:
            crowd.policies = rnd.choice(POLICIES)
            crowd.judge_what_stands()
        if rnd.random() < 0.1:
            accept(crowd, rnd.choice(NAMES))
        if rnd.random() < 0.3:
            crowd.deliver()
        names = rnd.sample(NAMES, rnd.randrange(1, len(NAMES) + 1))
        base = rnd.choice([50, 150, 450])
        moves = {
            name: {
                tag: an_image(rnd, name, base, step)
                for tag in rnd.sample(TAGS, rnd.choice([1, 1, 2, 3]))
            }
            for name in names
        }
        gone = {
            name: [tag for tag in TAGS if tag not in moves[name]][:2]
            for name in names
            if rnd.random() < 0.2
        }
        crowd.look_at(moves, gone)
        if rnd.random() < 0.2:
            measure(crowd, rnd, moves)


def an_image(rnd: random.Random, name: str, base: int, step: int) -> Image:
    """On a base that others have as well, with a layer of its own."""
    own = rnd.choice([1, 10, 60, 400])
    return built(
        ("FROM base", a_layer(("base", base), base * MB)),
        (f"COPY {own}", a_layer((name, own, step), own * MB)),
    )


def accept(crowd: Crowd, repository: str) -> None:
    """Waive its limits for some days."""
    until = crowd.now + 3 * DAY
    waiver = NewWaiver("hub", repository, "*", None, "known", "cli:me", until)
    with crowd.database.write() as connection:
        put_waiver(connection, waiver, crowd.now)


def measure(
    crowd: Crowd, rnd: random.Random, moves: Mapping[str, Mapping[str, Document]]
) -> None:
    """Find out what one of the images that came holds, and judge what waited."""
    name = rnd.choice(sorted(moves))
    image = moves[name][rnd.choice(sorted(moves[name]))]
    assert isinstance(image, Image)
    for layer in image.layers:
        crowd.measure(layer, rnd.choice([1, 3]) * layer.compressed_bytes)
    crowd.judge_waiting()
