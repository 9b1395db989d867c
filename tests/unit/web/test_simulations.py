"""One limit tried over the API; page, API and command have the same numbers."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.database import a_database
from support.many_repositories import some_names
from support.simulation_panel import MB, add_sizes, asking, panel_of, rows_of
from weighbridge.cli.actions.policies import simulate_on_all
from weighbridge.config import Settings
from weighbridge.domain.policy.policy import Limits
from weighbridge.domain.text.printable import Secret
from weighbridge.store.session import Database


@pytest.fixture
def filled(database: Database) -> Database:
    names = ["shop/api", "shop/search", "shop/payments", "data/dbt", "shop/web", "x"]
    add_sizes(database, names, [1_083, 566, 452, 431, 84, None])
    return database


def test_the_api_has_the_worst_and_counts_all(filled: Database) -> None:
    path = "/api/v1/simulation?max_compressed=400MB&limit=1"
    answer = asking(filled).get(path).json()

    assert answer == {
        "limit_key": "max_compressed",
        "limit_amount": 400 * MB,
        "repositories": 6,
        "unknown": 1,
        "exceeding": 4,
        "items": [
            {
                "registry": "hub",
                "repository": "shop/api",
                "tag": "1.2.3",
                "platform": "linux/amd64",
                "limit_key": "max_compressed",
                "unit": "bytes",
                "limit_amount": 400 * MB,
                "amount": 1_083 * MB,
                "excess": 683 * MB,
                "baseline_compressed_bytes": None,
            }
        ],
    }


def test_the_api_refuses_what_is_no_size(filled: Database) -> None:
    answer = asking(filled).get("/api/v1/simulation?max_compressed=400")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_bytes"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tried")


@pytest.mark.slow  # takes seconds
@settings(max_examples=25)
@given(
    sizes=st.lists(st.none() | st.integers(0, 30), min_size=1, max_size=20),
    limit=st.integers(1, 30),
)
def test_page_and_api_have_the_numbers_of_the_command(
    folder: Path, sizes: list[int | None], limit: int
) -> None:
    with a_database(folder) as database:
        add_sizes(database, some_names(len(sizes)), sizes)
        client = asking(database)
        panel = panel_of(client, max_compressed=f"{limit}MB")
        api = client.get(f"/api/v1/simulation?max_compressed={limit}MB").json()
        shown = [(row[0], int(row[-1])) for row in rows_of(panel, "How many")]
        configured = Settings(database_url=Secret(f"sqlite:///{folder}/weighbridge.db"))

        def command(amount: int) -> tuple[int, int, list[str]]:
            limits = Limits(max_compressed_bytes=amount)
            simulation = simulate_on_all(configured, limits, registry=None, pattern="*")
            names = [flagged.image.repository for flagged in simulation.flagged]
            return simulation.repositories, simulation.exceeding, names

        repositories, exceeding, names = command(limit * MB)
        assert f"{exceeding} of {repositories} repositor" in panel.text
        assert (api["repositories"], api["exceeding"]) == (repositories, exceeding)
        assert [item["repository"] for item in api["items"]] == names
        for written, count in shown:
            number, unit = written.split()
            factor = {"B": 1, "kB": 1_000, "MB": MB}[unit]
            assert command(int(float(number) * factor))[1] == count
