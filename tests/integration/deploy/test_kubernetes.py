"""The Kubernetes manifests: rendered, right for the API, and hardened."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import kubernetes_validate
import pytest

from support.manifests import KUBERNETES, Manifests, Object, shipped
from support.own_image import last_stage
from weighbridge.cli.main import cli, run
from weighbridge.domain.text.units import parse_bytes

ROOT: Final = KUBERNETES.parents[1]
NAMES: Final = ["embedded", "distributed"]
PAGE: Final = (ROOT / "docs/deploying/kubernetes.md").read_text()
OLDEST: Final = re.findall(r"need Kubernetes (\d+\.\d+) or newer", PAGE)
MINORS: Final = dict.fromkeys(
    kubernetes_validate.utils.major_minor(version)
    for version in kubernetes_validate.utils.all_versions()
)
# What the page promises, and the three newest.
NEWEST: Final = [*OLDEST, *list(MINORS)[-3:]]
# Whose schemas are those of an operator, in no release of Kubernetes.
OF_OPERATORS: Final = ("PrometheusRule", "ServiceMonitor")


@pytest.fixture(params=NAMES)
def each(request: pytest.FixtureRequest) -> Manifests:
    return shipped(str(request.param))


@pytest.mark.parametrize("version", NEWEST)
def test_every_object_is_as_the_api_wants_it(each: Manifests, version: str) -> None:
    for thing in each.objects:
        if thing["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(thing, version, strict=True)


def test_the_schemas_refuse_what_is_wrong(each: Manifests) -> None:
    pods = next(iter(each.pods().values()))
    wrong = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "wrong"}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**wrong, "spec": {**pods, "containres": []}}, NEWEST[-1], strict=True
        )


def test_every_pod_is_one_of_the_restricted_profile(each: Manifests) -> None:
    (namespace,) = each.of("Namespace").values()

    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod in each.pods().items():
        # https://kubernetes.io/docs/concepts/security/pod-security-standards/
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        for volume in pod["volumes"]:
            kinds = {"emptyDir", "configMap", "secret", "projected"}
            assert kinds & volume.keys(), (name, volume)
    for name, container in each.containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_pods_run_as_the_user_of_the_image(each: Manifests) -> None:
    user, group = last_stage().every("USER")[-1].split(":")

    for name, pod in each.pods().items():
        security = pod["securityContext"]
        found = [security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")]
        assert found == [int(user), int(group), int(group)], name


def test_no_pod_is_given_a_token_or_addresses_of_services(each: Manifests) -> None:
    accounts = each.of("ServiceAccount")

    for account in accounts.values():
        assert account["automountServiceAccountToken"] is False
    for name, pod in each.pods().items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["serviceAccountName"] in accounts, name
        # WEIGHBRIDGE_PORT=tcp://... would be one of our variables.
        assert pod["enableServiceLinks"] is False, name
    kinds = {thing["kind"] for thing in each.objects}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def test_every_container_says_what_it_needs_and_may_have(each: Manifests) -> None:
    for name, container in each.containers():
        requests, limits = (container["resources"][k] for k in ("requests", "limits"))
        assert requests.keys() == {"cpu", "memory"}, name
        # A limit of processor time makes probes late.
        assert limits.keys() == {"memory"}, name
        wanted, most = (parse_bytes(f"{x['memory']}B") for x in (requests, limits))
        assert wanted <= most, name


def test_images_are_of_this_version(each: Manifests) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    own = {f"weighbridge:{version}", f"weighbridge:{version}-embedded"}

    assert {container["image"] for _, container in each.containers()} <= own


def test_every_command_is_one_of_ours(each: Manifests) -> None:
    for name, container in each.containers():
        assert "command" not in container, name
        command: click.Command | None = cli
        for word in container["args"]:
            if not isinstance(command, click.Group):
                break
            command = command.get_command(click.Context(command), word)
        assert command is not None, name
        assert not isinstance(command, click.Group), name


def test_a_liveness_probe_asks_for_the_process_alone(each: Manifests) -> None:
    probed = [c for _, c in each.containers() if "livenessProbe" in c]

    assert probed
    for container in probed:
        paths = {
            probe: container[probe]["httpGet"]["path"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert paths == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }
        # `/readyz` waits for its database for three seconds.
        assert container["readinessProbe"]["timeoutSeconds"] > 3


def test_pods_have_as_long_to_end_as_is_documented(each: Manifests) -> None:
    page = (ROOT / "docs/deploying/image.md").read_text()
    stated = re.search(r"SIGTERM\. Give it (\d+) seconds, a worker (\d+)", page)
    assert stated is not None
    usual, worker = map(int, stated.groups())

    for name, pod in each.pods().items():
        before = [
            c.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            for c in pod["containers"]
        ]
        least = max(before) + (worker if "worker" in name else usual)
        assert pod["terminationGracePeriodSeconds"] == least, name


def volumes_of(pod: Object) -> dict[str, Object]:
    return {volume["name"]: volume for volume in pod["volumes"]}


def test_files_are_mounted_so_that_they_are_replaced(each: Manifests) -> None:
    for name, container in each.containers():
        targets = [m["mountPath"] for m in container["volumeMounts"]]
        for mount in container["volumeMounts"]:
            # Kubernetes never replaces a file that was mounted by subPath.
            assert not {"subPath", "subPathExpr"} & mount.keys(), name
            # A folder on a volume that cannot be written to cannot be made.
            inside = [t for t in targets if t.startswith(f"{mount['mountPath']}/")]
            assert not inside, name


def test_nothing_is_written_but_tmp_and_data(each: Manifests) -> None:
    for name, container in each.containers():
        pod = each.pods()[name.split("/")[0]]
        for mount in container["volumeMounts"]:
            volume = volumes_of(pod).get(mount["name"], {"claim": True})
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], name
                assert mount["mountPath"] in ("/tmp", "/data"), name  # noqa: S108 - theirs
            elif "claim" in volume:
                assert mount["mountPath"] == "/data", name
            else:
                assert mount["readOnly"] is True, name


def test_secrets_are_files_and_in_no_variable(each: Manifests) -> None:
    for name, container in each.containers():
        assert "envFrom" not in container, name
        for variable in container.get("env", []):
            assert "secretKeyRef" not in variable.get("valueFrom", {}), name
    assert not each.of("Secret")
    for pod in each.pods().values():
        for volume in pod["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["defaultMode"] == 0o440


def test_every_variable_that_names_a_file_names_one_that_is_mounted(
    each: Manifests,
) -> None:
    for name, container in each.containers():
        targets = [m["mountPath"] for m in container["volumeMounts"]]
        named = [e["value"] for e in container.get("env", []) if "/" in e["value"]]
        named += [word for word in container["args"] if word.startswith("/")]
        assert named, name
        for path in named:
            assert any(f"{path}/".startswith(f"{t}/") for t in targets), (name, path)


def test_another_configuration_replaces_pods_and_another_policy_none(
    each: Manifests,
) -> None:
    names = sorted(each.of("ConfigMap"))

    assert [re.sub("-[a-z0-9]{10}$", "-HASH", name) for name in names] == [
        "weighbridge-config-HASH",
        "weighbridge-policies",
    ]
    used = {
        volume["configMap"]["name"]
        for pod in each.pods().values()
        for volume in pod["volumes"]
        if "configMap" in volume
    }
    assert used == set(names)


def test_the_configuration_is_right(
    each: Manifests, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, policies = (each.of("ConfigMap")[n]["data"] for n in each_map(each))
    folder = tmp_path / "policies"
    folder.mkdir()
    for name, text in policies.items():
        (folder / name).write_text(text)
    text = config["weighbridge.yaml"].replace("/run/weighbridge/policies", str(folder))
    (tmp_path / "weighbridge.yaml").write_text(text)

    assert run(["config", "check", "--config", f"{tmp_path}/weighbridge.yaml"]) == 0

    assert "fine, 1 registry" in capsys.readouterr().out


def each_map(manifests: Manifests) -> Iterator[str]:
    yield from sorted(manifests.of("ConfigMap"))


def test_the_service_leads_to_the_port_of_the_web(each: Manifests) -> None:
    (service,) = each.of("Service").values()
    selector = service["spec"]["selector"].items()

    chosen = [
        thing["spec"]["template"]
        for thing in each.workloads().values()
        if selector <= thing["spec"]["template"]["metadata"]["labels"].items()
    ]

    (template,) = chosen
    (container,) = template["spec"]["containers"]
    (port,) = container["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    config = next(iter(each.of("ConfigMap").values()))["data"]["weighbridge.yaml"]
    assert f':{port["containerPort"]}"' in config


def test_selectors_choose_pods_that_have_their_labels(each: Manifests) -> None:
    for name, thing in each.workloads().items():
        if "selector" not in thing["spec"]:
            continue  # a Job chooses by a label that Kubernetes makes
        wanted = thing["spec"]["selector"]["matchLabels"].items()
        has = thing["spec"]["template"]["metadata"]["labels"].items()
        assert wanted <= has, name
        others = [
            other
            for other, found in each.workloads().items()
            if wanted <= found["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert others == [name]


def test_what_is_not_allowed_between_pods_is_forbidden(each: Manifests) -> None:
    policies = each.of("NetworkPolicy")

    closed = policies["weighbridge-nothing-else"]["spec"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & closed.keys()
    wanted = closed["podSelector"]["matchLabels"].items()
    for name, thing in each.workloads().items():
        assert wanted <= thing["spec"]["template"]["metadata"]["labels"].items(), name
    # Where a cloud hands out credentials.
    for policy in policies.values():
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                block = peer.get("ipBlock", {})
                if block.get("cidr") == "0.0.0.0/0":
                    assert "169.254.0.0/16" in block["except"]


def test_the_embedded_one_is_one_pod_with_one_volume() -> None:
    manifests = shipped("embedded")

    (stateful,) = manifests.workloads().values()

    assert stateful["kind"] == "StatefulSet"
    assert stateful["spec"]["replicas"] == 1
    (claim,) = stateful["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert not manifests.of("PodDisruptionBudget")


@pytest.fixture
def distributed() -> Manifests:
    return shipped("distributed")


def test_each_part_is_there_twice_and_on_two_nodes(distributed: Manifests) -> None:
    deployments = distributed.of("Deployment")

    commands = {
        deployment["spec"]["template"]["spec"]["containers"][0]["args"][0]
        for deployment in deployments.values()
    }
    assert commands == {"serve", "worker", "scheduler"}
    for name, deployment in deployments.items():
        spec = deployment["spec"]
        assert spec["replicas"] == 2, name
        spread = spec["template"]["spec"]["topologySpreadConstraints"]
        assert "kubernetes.io/hostname" in {s["topologyKey"] for s in spread}, name
        for constraint in spread:
            assert constraint["labelSelector"] == spec["selector"], name


def test_each_part_has_a_budget_that_lets_one_go(distributed: Manifests) -> None:
    chosen = {
        name: budget["spec"]
        for name, budget in distributed.of("PodDisruptionBudget").items()
    }

    assert chosen.keys() == distributed.of("Deployment").keys()
    for name, budget in chosen.items():
        deployment = distributed.of("Deployment")[name]
        assert budget["selector"] == deployment["spec"]["selector"]
        left = deployment["spec"]["replicas"] - budget.get("minAvailable", 1)
        assert budget.get("maxUnavailable", left) == 1
        # A database that is away is no reason to keep a node from being drained.
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_the_schema_is_changed_by_a_job_and_by_nothing_else(
    distributed: Manifests,
) -> None:
    upgrading = [name for name, c in distributed.containers() if "upgrade" in c["args"]]

    assert upgrading == ["weighbridge-migrate/schema"]
    (job,) = distributed.of("Job").values()
    # Of a Job that is still there the template cannot be changed: another image needs
    # its end, another configuration needs nothing.
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    volumes = distributed.pods()["weighbridge-migrate"]["volumes"]
    assert not [volume for volume in volumes if "configMap" in volume]


def test_each_pod_reaches_what_it_asks_and_no_more(distributed: Manifests) -> None:
    reached = {name: ports_that(distributed, name) for name in distributed.workloads()}

    data, dns, out = {5432, 6379}, {53}, {443, 465, 587}
    assert reached == {
        "weighbridge-serve": data | dns | out,
        "weighbridge-worker": data | dns | out,
        "weighbridge-scheduler": data | dns,
        "weighbridge-migrate": data | dns,
    }


def ports_that(manifests: Manifests, workload: str) -> set[int]:
    """The ports that its Pods may reach."""
    template = manifests.workloads()[workload]["spec"]["template"]
    labels = template["metadata"]["labels"]
    return {
        port["port"]
        for policy in manifests.of("NetworkPolicy").values()
        if is_chosen(labels, policy["spec"]["podSelector"])
        for rule in policy["spec"].get("egress", [])
        for port in rule["ports"]
    }


def is_chosen(labels: Object, selector: Object) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(e["operator"] == "In" for e in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(e["key"]) in e["values"] for e in expressions
    )
