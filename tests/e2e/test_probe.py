"""The shipped scrape job asks a running Weighbridge whether registries answer."""

from pathlib import Path
from typing import Final

import yaml

from support.alert_rules import PROMETHEUS
from support.docker_registry import docker_registry
from support.prometheus import prometheus
from support.serving import free_address, log_of
from support.wait import wait_in_thread
from support.weighbridge_up import weighbridge_up

CONFIGURATION: Final = """\
registries:
  - {{name: local, url: "{url}"}}
  - {{name: gone, url: "http://{nobody}"}}
metrics: {{bind: "{metrics}"}}
"""


def shipped_job(metrics: str) -> dict[str, object]:
    """With the names of two registries, and where their Weighbridge is."""
    shipped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    (job,) = [
        job
        for job in shipped["scrape_configs"]
        if job["job_name"] == "weighbridge-probe"
    ]
    assert job["static_configs"] == [{"targets": []}]
    job["static_configs"] = [{"targets": ["local", "gone"]}]
    job["scrape_interval"] = "2s"
    job["scrape_timeout"] = "2s"
    *_, address = job["relabel_configs"]
    address["replacement"] = metrics
    assert isinstance(job, dict)
    return job


def test_one_that_answers_and_one_that_does_not(tmp_path: Path) -> None:
    metrics = free_address()
    with docker_registry(tmp_path / "registry") as registry:
        configuration = CONFIGURATION.format(
            url=registry.url, nobody=free_address(), metrics=metrics
        )
        scraped = {"scrape_configs": [shipped_job(metrics)]}
        with (
            weighbridge_up(tmp_path / "up", configuration),
            prometheus(tmp_path / "prometheus", scraped) as asked,
        ):
            wait_in_thread(
                lambda: len(asked.now("weighbridge_probe_success")) == 2,
                "both are probed",
                seen=lambda: (asked.log[-2_000:], log_of(tmp_path / "up")),
            )

            told = asked.now("weighbridge_probe_success")
            failed = asked.now("weighbridge_probe_failure_info")
            up = asked.now("up")

    assert {labels["registry"]: values for labels, values in told} == {
        "local": [1],
        "gone": [0],
    }
    assert [(labels["registry"], labels["code"]) for labels, _ in failed] == [
        ("gone", "connect_error")
    ]
    # That a registry does not answer is not a scrape that failed.
    assert [values for _, values in up] == [[1], [1]]
