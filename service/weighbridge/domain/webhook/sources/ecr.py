"""Amazon ECR: `ECR Image Action` of EventBridge.

docs.aws.amazon.com, AmazonECR, ecr-eventbridge.
"""

import re
from typing import Final

from weighbridge.domain.webhook.webhook_source import (
    Outcome,
    RawDelivery,
    WebhookSource,
    members_of,
    moment_of,
    pushed,
    text_of,
)

_HOST: Final = re.compile(r"([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com.*")


def read(delivery: RawDelivery) -> Outcome:
    event = members_of(delivery.document)
    if event.get("source") != "aws.ecr":
        return "not_a_push"
    if event.get("detail-type") != "ECR Image Action":
        return "not_a_push"
    detail = members_of(event.get("detail"))
    action = detail.get("action-type")
    if detail.get("result") != "SUCCESS" or action not in ("PUSH", "DELETE"):
        return "not_a_push"
    # A bus may gather the events of many accounts and regions.
    ours = _HOST.fullmatch(delivery.host)
    if ours and ours.groups() != (event.get("account"), event.get("region")):
        return "unknown_registry"
    return pushed(
        detail.get("repository-name"),
        detail.get("image-tag"),
        digest=detail.get("image-digest"),
        is_delete=action == "DELETE",
        pushed_at=moment_of(event.get("time")),
        event=text_of(event.get("id")),
    )


_RECIPE: Final = """\
# In each account and region; ROLE_ARN is a role that EventBridge may take, with
# events:InvokeApiDestination on the API destination.
aws events create-connection --name weighbridge --authorization-type API_KEY \\
  --auth-parameters \\
  'ApiKeyAuthParameters={{ApiKeyName=Authorization,ApiKeyValue=Bearer {secret}}}'
aws events create-api-destination --name weighbridge --http-method POST \\
  --connection-arn CONNECTION_ARN \\
  --invocation-endpoint '{url}'
aws events put-rule --name weighbridge \\
  --event-pattern '{{"source":["aws.ecr"],"detail-type":["ECR Image Action"]}}'
aws events put-targets --rule weighbridge \\
  --targets 'Id=weighbridge,Arn=API_DESTINATION_ARN,RoleArn=ROLE_ARN'
"""


ECR: Final = WebhookSource(read=read, recipe=_RECIPE)
