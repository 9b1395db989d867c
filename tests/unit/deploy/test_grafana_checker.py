"""The checker of the dashboards finds what is planted in one of them."""

from typing import Final

import pytest
from pydantic import ValidationError

from support.grafana import DASHBOARDS
from support.grafana.checker import complaints
from support.grafana.colours import contrast
from support.grafana.dashboard import read_dashboard
from support.metric_catalogue import metric_catalogue

NAMES: Final = ("weighbridge-overview", "weighbridge-repository")
DISK: Final = "weighbridge_repository_newest_image_uncompressed_bytes"

# name, text of the overview, what is put in its place, what is said
PLANTED: Final = [
    ("an id twice", '"id": 3,', '"id": 2,', "id 2 twice"),
    ("a title twice", '"title": "Stored",', '"title": "Detail",', "'Detail' twice"),
    ("past the edge", '"w": 4,', '"w": 8,', "lies over"),
    ("an unknown metric", DISK, "weighbridge_bytes", "weighbridge_bytes is not in"),
    ("no job", f'{DISK}{{job=~\\"$job\\", ', f"{DISK}{{", "is asked without the job"),
    ("an unknown label", f"{DISK}{{", f'{DISK}{{tag=\\"1\\", ', "has no label tag"),
    ("by a digest", "max by (registry, ", "max by (digest, ", "groups by digest"),
    ("a bare counter", "sum (increase(", "sum ((", "is a counter, without a rate"),
    ("an alert by what it has not", "alertstate=", "state=", "has no label state"),
    ("a fixed window", "[$__rate_interval]", "[5m]", "has the window [5m]"),
    ("a rate of a gauge", f"({DISK}", f"(rate({DISK}", "is a gauge, with a rate"),
    ("every process alone", f"max by (registry, repository) ({DISK}", f"({DISK}", "tw"),
    ("an unknown variable", "${external_url}", "${address}", "no variable address"),
    ("a dead link", "/d/weighbridge-repository", "/d/gone", "no dashboard gone"),
    ("a link elsewhere", "${external_url}/", "https://example.org/", "a link to"),
    ("a column unnamed", '"Value #B": "', '"Value #Z": "', "neither named nor hidden"),
    ("a look of no column", '"options": "On disk"', '"options": "Disk"', "'Disk'"),
    ("a pale colour", "#0072B2", "#9CA3AF", "#9CA3AF has a contrast of 2.5"),
]


@pytest.mark.parametrize(
    ("text", "planted", "said"),
    [pytest.param(*row[1:], id=row[0]) for row in PLANTED],
)
def test_a_planted_fault_is_found(text: str, planted: str, said: str) -> None:
    sound = (DASHBOARDS / "weighbridge-overview.json").read_text("utf-8")
    assert text in sound
    faulty = read_dashboard(sound.replace(text, planted, 1).encode())

    found = complaints(faulty, metric_catalogue(), NAMES)

    assert any(said in complaint for complaint in found), found


@pytest.mark.parametrize(
    ("text", "planted"),
    [
        pytest.param('"unit": "decbytes"', '"unit": "bites"', id="unit"),
        pytest.param('"type": "bargauge"', '"type": "treemap"', id="plugin"),
        pytest.param('"editable": false', '"editable": true', id="editable"),
        pytest.param('"uid": "${datasource}"', '"uid": "abc"', id="data-source"),
        pytest.param('"noValue": "', '"novalue": "', id="misspelt-key"),
        pytest.param('"description": "', '"description": "", "x": "', id="description"),
        pytest.param('"w": 24,', '"w": 25,', id="too-wide"),
        pytest.param('"value": null', '"value": 1', id="no-first-step"),
    ],
)
def test_what_is_not_in_the_schema_is_refused(text: str, planted: str) -> None:
    sound = (DASHBOARDS / "weighbridge-overview.json").read_text("utf-8")
    assert text in sound

    with pytest.raises(ValidationError):
        read_dashboard(sound.replace(text, planted, 1).encode())


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)
