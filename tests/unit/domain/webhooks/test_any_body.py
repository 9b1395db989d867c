"""Any bytes give pushes or reasons, and never another exception."""

import base64
import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.domain.image.reference import is_repository_name, is_tag
from weighbridge.domain.webhook.sources.source_table import SOURCE_NAMES, read_body
from weighbridge.domain.webhook.webhook_source import ParsedDelivery

pytestmark = pytest.mark.slow

HEADERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "x-github-event": st.sampled_from(["registry_package", "package", "ping"]),
        "x-github-delivery": st.text(max_size=5),
        "x-nexus-webhook-delivery": st.text(max_size=5),
        "ce-type": st.sampled_from(
            ["zotregistry.image.updated", "zotregistry.image.deleted", "x"]
        ),
        "ce-id": st.text(max_size=5),
        "ce-time": st.sampled_from(["2026-01-02T03:04:05Z", "9999-99-99T99:99:99Z"]),
    },
)
"""Those that an adapter looks at."""
NAMES: Final = """
    events id timestamp action target mediaType repository tag digest type time data
    specversion occur_at event_data resources repo_full_name push_data repo_name
    pushed_at updated_tags registry_package package package_version updated_at owner
    login name package_url container_metadata source detail detail-type result
    action-type repository-name image-tag image-digest account region message
    messageId publishTime domain event_type repo_key image_name sha256 component
    asset format version reference eventType validationCode
"""
WORDS: Final = """
    push pull delete PUSH_ARTIFACT DELETE_ARTIFACT harbor.artifact.pushed published
    updated aws.ecr SUCCESS PUSH DELETE INSERT CREATED UPDATED DELETED docker pushed
    deleted shop/api library/a 1.4 latest A/B ../x ghcr.io/a/b:1 eu.pkg.dev/p/r:1
    2026-01-02T03:04:05Z Microsoft.ContainerRegistry.ImagePushed
    Microsoft.EventGrid.SubscriptionValidationEvent /v2/a/manifests/1
"""
TEXTS: Final = ("ECR Image Action", "sha256:" + "a" * 64, "", "\ud800")
SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([*WORDS.split(), *TEXTS])
    | st.text(max_size=10)
)
DOCUMENTS: Final = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=8)
    ),
    max_leaves=25,
)
"""JSON of the words that adapters know, put together in any way."""


def is_whole(told: ParsedDelivery) -> bool:
    """Whether it says something, and every name in it is one."""
    return bool(told.pushes or told.useless or told.reply is not None) and all(
        is_repository_name(push.repository) and (push.tag is None or is_tag(push.tag))
        for push in told.pushes
    )


@pytest.mark.parametrize("source", SOURCE_NAMES)
@given(body=st.binary(max_size=200), headers=HEADERS)
def test_any_bytes_are_read(source: str, body: bytes, headers: dict[str, str]) -> None:
    assert is_whole(read_body(source, body, headers, "eu.pkg.dev"))


@pytest.mark.parametrize("source", SOURCE_NAMES)
@given(document=DOCUMENTS, headers=HEADERS, host=st.sampled_from(["", "eu.pkg.dev"]))
def test_any_json_is_read(
    source: str, document: object, headers: dict[str, str], host: str
) -> None:
    body = json.dumps(document).encode()

    assert is_whole(read_body(source, body, headers, host))


@given(document=DOCUMENTS)
def test_any_json_inside_a_message_of_pubsub_is_read(document: object) -> None:
    data = base64.b64encode(json.dumps(document).encode()).decode()
    body = json.dumps({"message": {"data": data}}).encode()

    assert is_whole(read_body("google", body, {}, ""))
