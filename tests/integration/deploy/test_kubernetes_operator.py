"""What the Prometheus operator and Grafana are given on top of either overlay."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import kubernetes_validate
import pytest
import yaml

from support.kubernetes_page import a_reader
from support.manifests import KUBERNETES, Manifests, shipped

DEPLOY: Final = KUBERNETES.parent
BEGIN: Final = "From nothing to a dashboard"
ADDED: Final = "Metrics, alerts and dashboards"
CONFIG_MAP_BYTES: Final = 1024 * 1024
"""The most that the data of one may have."""


@pytest.fixture(scope="module", params=["embedded", "distributed"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def operated(name: str, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """As the page says, with its component."""
    reader = a_reader(tmp_path_factory.mktemp("reader"))
    copying = reader.blocks("console", BEGIN)[0]
    for line in copying.splitlines():
        reader.run(line.removeprefix("$ "))
    reader.write(BEGIN, embedded=name)
    reader.write(ADDED, more=True)
    return reader.rendered()


def test_it_adds_to_either_and_changes_nothing(operated: Manifests, name: str) -> None:
    plain = shipped(name)

    kinds = {thing["kind"] for thing in operated.objects}
    assert {"ServiceMonitor", "PrometheusRule"} <= kinds
    for kind in ("Deployment", "StatefulSet", "Job", "Service", "PodDisruptionBudget"):
        assert operated.of(kind).keys() == plain.of(kind).keys()
    assert {
        thing["metadata"].get("namespace")
        for thing in operated.objects
        if thing["kind"] != "Namespace"
    } == {"weighbridge"}
    for thing in operated.objects:
        assert thing["metadata"]["labels"]["release"] == "kube-prometheus-stack"
        if thing["apiVersion"] != "monitoring.coreos.com/v1":
            newest = kubernetes_validate.latest_version()
            kubernetes_validate.validate(thing, newest, strict=True)


def test_rules_are_those_of_the_files(operated: Manifests) -> None:
    found = {
        name: rule["spec"]["groups"]
        for name, rule in operated.of("PrometheusRule").items()
    }

    assert found == {
        f"weighbridge-{kind}": yaml.safe_load(
            (DEPLOY / f"prometheus/weighbridge.{kind}.yml").read_text()
        )["groups"]
        for kind in ("rules", "alerts")
    }


def test_the_generated_file_is_what_the_generator_writes(tmp_path: Path) -> None:
    program = str(KUBERNETES / "generate.py")

    subprocess.run([sys.executable, program, "--to", f"{tmp_path}/rules"], check=True)

    kept = (KUBERNETES / "operator/rules.yaml").read_text()
    assert kept == (tmp_path / "rules").read_text(), "make rules"


def test_dashboards_are_the_files_and_are_found_by_the_sidecar(
    operated: Manifests,
) -> None:
    found = [
        thing
        for thing in operated.of("ConfigMap").values()
        if thing["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]

    files = {
        path.name: path.read_text()
        for path in (DEPLOY / "grafana/dashboards").glob("*.json")
    }
    assert {k: v for thing in found for k, v in thing["data"].items()} == files
    assert len(found) == len(files)
    for text in files.values():
        assert len(text.encode()) < CONFIG_MAP_BYTES


def test_the_operator_scrapes_as_the_example_does(operated: Manifests) -> None:
    example = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    default = example["global"]["scrape_interval"]
    wanted = {
        job["job_name"]: (
            job.get("metrics_path", "/metrics"),
            job.get("scrape_interval", default),
            job.get("scrape_timeout"),
            job["sample_limit"],
            job["label_value_length_limit"],
        )
        for job in example["scrape_configs"]
        # Its targets are names of registries, which only the person knows.
        if job["job_name"] != "weighbridge-probe"
    }

    found = {}
    for monitor in operated.of("ServiceMonitor").values():
        spec = monitor["spec"]
        (endpoint,) = spec["endpoints"]
        (relabeling,) = endpoint["relabelings"]
        assert relabeling["targetLabel"] == "job"
        found[relabeling["replacement"]] = (
            endpoint["path"],
            endpoint["interval"],
            endpoint.get("scrapeTimeout"),
            spec["sampleLimit"],
            spec["labelValueLengthLimit"],
        )

    assert found == wanted


def test_monitors_choose_our_service_its_port_and_a_token_of_the_page(
    operated: Manifests,
) -> None:
    (service,) = operated.of("Service").values()
    page = (DEPLOY.parent / "docs/deploying/kubernetes.md").read_text()

    for monitor in operated.of("ServiceMonitor").values():
        chosen = monitor["spec"]["selector"]["matchLabels"].items()
        assert chosen <= service["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] == service["spec"]["ports"][0]["name"]
        credentials = endpoint["authorization"]["credentials"]
        assert f"secret generic {credentials['name']} " in page
        assert f"token wbm_ > {credentials['key']}\n" in page


def test_prometheus_may_reach_the_pods_that_it_scrapes(operated: Manifests) -> None:
    (policy,) = (
        p["spec"]
        for name, p in operated.of("NetworkPolicy").items()
        if name == "weighbridge-metrics"
    )

    (service,) = operated.of("Service").values()
    assert policy["podSelector"]["matchLabels"] == service["spec"]["selector"]
    (rule,) = policy["ingress"]
    assert [p["port"] for p in rule["ports"]] == ["http"]
