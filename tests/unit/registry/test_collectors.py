"""What each kind of registry says of its garbage, and the commands to delete there."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.images import a_digest
from weighbridge.bootstrap.kinds import collector_of
from weighbridge.registry.exchange.collector import Deletion, UnneededManifest
from weighbridge.registry.kinds.kind_table import REGISTRY_KINDS

INDEX, IMAGE = a_digest("index"), a_digest("image")
HOSTS = {
    "ecr": "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    "acr": "shop.azurecr.io",
    "google": "europe-docker.pkg.dev",
    "ghcr": "ghcr.io",
}


def a_deletion(
    kind: str, *, tag: str = "1.0", untagged: str = "old", repository: str = "shop/a/b"
) -> Deletion:
    host = HOSTS.get(kind, "registry.example:5000")
    manifests = [UnneededManifest(INDEX, [tag]), UnneededManifest(IMAGE, [])]
    return Deletion(f"https://{host}", host, repository, [untagged], manifests)


def commands(kind: str, deletion: Deletion | None = None) -> list[str]:
    found = collector_of(kind).commands(deletion or a_deletion(kind))
    return [line for line in found if not line.startswith("#")]


@pytest.mark.parametrize("kind", REGISTRY_KINDS)
def test_every_kind_says_what_its_collector_removes_and_what_is_not_seen(
    kind: str,
) -> None:
    collector = collector_of(kind)

    assert len(collector.removes.split()) > 10
    assert len(collector.unseen.split()) > 2
    assert not collector.removes.endswith(".")


@pytest.mark.parametrize("kind", REGISTRY_KINDS)
@given(
    tag=st.text(min_size=1, max_size=20),
    repository=st.text(min_size=1, max_size=20).map(lambda name: f"shop/{name}"),
)
def test_no_name_is_ever_more_than_a_part_of_a_word(
    kind: str, tag: str, repository: str
) -> None:
    """Names that no registry may have, too: whatever is written, the shell sees the
    words of the command and no other."""
    plain = commands(kind)
    tag = tag.replace("\n", " ").replace("\r", " ")
    hostile = a_deletion(kind, tag=tag, untagged=tag, repository=repository)

    found = commands(kind, hostile)

    assert [len(shlex.split(line)) for line in plain] == [
        len(shlex.split(line)) for line in found
    ]
    assert [shlex.split(line)[0] for line in plain] == [
        shlex.split(line)[0] for line in found
    ]


@pytest.mark.parametrize("kind", ["distribution", "gitlab"])
def test_a_registry_below_a_path_is_asked_there_and_not_at_the_root_of_its_host(
    kind: str,
) -> None:
    """`host/shop/a/b` would name a repository of whatever is at the root."""
    url = "https://registry.example/team"
    deletion = Deletion(
        url, "registry.example", "shop/a", ["old"], [UnneededManifest(INDEX, ["1.0"])]
    )

    found = commands(kind, deletion)

    place = f"{url}/v2/shop/a/manifests"
    wanted = [INDEX] if kind == "distribution" else ["1.0"]
    assert found == [
        f"curl -fsS --netrc -X DELETE {place}/{reference}"
        for reference in ("old", *wanted)
    ]


def test_a_registry_s_own_api_untags_what_stays_and_deletes_what_goes() -> None:
    image = "registry.example:5000/shop/a/b"
    assert commands("distribution") == [
        f"regctl tag delete {image}:old",
        f"regctl manifest delete {image}@{INDEX}",
        f"regctl manifest delete {image}@{IMAGE}",
    ]


def test_harbor_deletes_what_an_index_lists_with_it() -> None:
    place = (
        "https://registry.example:5000/api/v2.0/projects/shop/repositories/a%252Fb"
        "/artifacts"
    )
    assert commands("harbor") == [
        f"curl -fsS --netrc -X DELETE {place}/old/tags/old",
        f"curl -fsS --netrc -X DELETE {place}/{INDEX}",
    ]


def test_an_index_goes_at_ecr_before_what_it_lists() -> None:
    start = (
        "aws ecr batch-delete-image --region eu-central-1 --registry-id 123456789012"
        " --repository-name shop/a/b --image-ids"
    )
    assert commands("ecr") == [
        f"{start} imageTag=old",
        f"{start} imageDigest={INDEX}",
        f"{start} imageDigest={IMAGE}",
    ]


def test_no_command_names_more_images_than_ecr_takes() -> None:
    tags = [f"t{n}" for n in range(250)]
    deletion = Deletion("https://public.ecr.aws", "public.ecr.aws", "a/b", tags, [])

    found = commands("ecr", deletion)

    assert [line.count("imageTag=") for line in found] == [100, 100, 50]
    assert found[0].startswith("aws ecr-public batch-delete-image --region us-east-1 ")


def test_github_s_versions_are_found_by_their_digests() -> None:
    (line,) = commands("ghcr")

    place = "/orgs/shop/packages/container/a%2Fb/versions"
    assert f'.[] | select(.name | IN("{INDEX}", "{IMAGE}")) | .id' in shlex.split(line)
    assert line.endswith(f"| xargs '-I{{}}' gh api -X DELETE '{place}/{{}}'")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("acr", "az acr repository untag -n shop --image shop/a/b:old"),
        (
            "google",
            "gcloud artifacts docker tags delete europe-docker.pkg.dev/shop/a/b:old"
            " --quiet",
        ),
        ("gitlab", "regctl tag delete registry.example:5000/shop/a/b:old"),
        (
            "quay",
            "curl -fsS -H @header.txt -X DELETE"
            " https://registry.example:5000/api/v1/repository/shop/a/b/tag/old",
        ),
        (
            "dockerhub",
            "curl -fsS -H @header.txt -X DELETE"
            " https://hub.docker.com/v2/repositories/shop/a%2Fb/tags/old/",
        ),
    ],
)
def test_a_tag_of_what_stays_is_removed_alone(kind: str, expected: str) -> None:
    assert commands(kind)[0] == expected


def test_no_secret_is_on_a_command_line() -> None:
    for kind in REGISTRY_KINDS:
        for line in commands(kind):
            assert "Bearer" not in line
            assert "-u " not in line
