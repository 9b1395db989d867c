"""The actions of the API `ecr-public` that Weighbridge may use, by the service model of
2020-10-30. It has no filter, and knows repositories without their owner's alias."""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from support.ecr_replica.api import (
    api_reply,
    error_reply,
    images_of,
    page_of,
    unknown,
    violating,
    violation,
)
from support.ecr_replica.model import fault_in_answer, fault_in_question
from support.ecr_replica.signatures import fault_of
from support.ecr_replica.state import PUSHED_AT, ECRState
from support.vendor_hosts import Reply, Request

REGION: Final = "us-east-1"
ALIAS: Final = "acme"
_SERVICE: Final = "ecr-public"
_TARGET: Final = re.compile(r"SpencerFrontendService\.([A-Za-z]+)")
_NOT_THERE: Final = {"imageStatus"}
"""Members that the other API alone has."""
Asked = Mapping[str, Any]


def public_api(ecr: ECRState, asked: Request) -> Reply:
    """api.ecr-public.us-east-1.amazonaws.com."""
    found = _TARGET.fullmatch(asked.headers.get("x-amz-target", ""))
    action = found[1] if found else ""
    is_right = asked.method == "POST" and asked.target == "/"
    if (
        not is_right
        or asked.headers.get("content-type") != "application/x-amz-json-1.1"
    ):
        return violation(ecr, asked, "UnknownOperationException")
    if action not in _ACTIONS:
        return violation(ecr, asked, "UnknownOperationException")
    ecr.counts[action] += 1
    if fault := fault_of(ecr, asked, _SERVICE):
        return error_reply(fault, "The security token is invalid.")
    if action in ecr.denied:
        words = f"User: nobody is not authorized to perform: {_SERVICE}:{action}"
        return error_reply("AccessDeniedException", words)
    question = json.loads(asked.body)
    if fault := fault_in_question(action, question, _SERVICE):
        return violating(ecr, f"{action}: {fault}")
    reply = _ACTIONS[action](ecr, question)
    if reply.status == 200 and (
        fault := fault_in_answer(action, json.loads(reply.body), _SERVICE)
    ):
        ecr.violations.append(f"the replica's own answer to {action}: {fault}")
    return reply


def _repositories(ecr: ECRState, asked: Asked) -> Reply:
    names = [n for n in ecr.content.repositories() if n.startswith(f"{ALIAS}/")]
    entries = [
        {
            "repositoryArn": f"arn:aws:ecr-public::{ecr.account}:repository/{name}",
            "registryId": ecr.account,
            "repositoryName": name.partition("/")[2],
            "repositoryUri": f"public.ecr.aws/{name}",
            "createdAt": PUSHED_AT.timestamp(),
        }
        for name in names
    ]
    key, by = "repositories", "repositoryName"
    return page_of(ecr, "DescribeRepositories", asked, key, by, entries)


def _images(ecr: ECRState, asked: Asked) -> Reply:
    own = asked["repositoryName"]
    name = f"{ALIAS}/{own}"
    tags = ecr.content.tags(name)
    if tags is None:
        return unknown(own)
    entries = [
        {k: v for k, v in image.items() if k not in _NOT_THERE}
        | {"repositoryName": own}
        for image in images_of(ecr, name, tags)
    ]
    return page_of(ecr, "DescribeImages", asked, "imageDetails", "imageDigest", entries)


def _authorization(ecr: ECRState, asked: Asked) -> Reply:
    password = ecr.new_password()
    token = base64.b64encode(f"AWS:{password}".encode()).decode()
    given = {"authorizationToken": token, "expiresAt": time.time() + 12 * 3600}
    return api_reply(200, {"authorizationData": given})


_ACTIONS: Final[Mapping[str, Callable[[ECRState, Asked], Reply]]] = {
    "DescribeRepositories": _repositories,
    "DescribeImages": _images,
    "GetAuthorizationToken": _authorization,
}
