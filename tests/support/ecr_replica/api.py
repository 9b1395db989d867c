"""The actions of ECR's API that Weighbridge may use, each as strictly as the service
model of 2015-09-21 has it: members, their types and their bounds."""

import base64
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from support.ecr_replica.model import fault_in_answer, fault_in_question
from support.ecr_replica.signatures import fault_of
from support.ecr_replica.state import PUSHED_AT, ECRState
from support.vendor_hosts import Reply, Request
from weighbridge.demo.content.stored_documents import Served

_TARGET: Final = re.compile(r"AmazonEC2ContainerRegistry_V20150921\.([A-Za-z]+)")
_JSON: Final = "application/x-amz-json-1.1"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
PAGED: Final = "DescribeImages"
Asked = Mapping[str, Any]


def api(ecr: ECRState, asked: Request) -> Reply:
    """api.ecr.REGION.amazonaws.com."""
    found = _TARGET.fullmatch(asked.headers.get("x-amz-target", ""))
    action = found[1] if found else ""
    is_post = asked.method == "POST" and asked.target == "/"
    if not is_post or asked.headers.get("content-type") != _JSON:
        return violation(ecr, asked, "UnknownOperationException")
    if action not in _ACTIONS:
        return violation(ecr, asked, "UnknownOperationException")
    ecr.counts[action] += 1
    if fault := fault_of(ecr, asked):
        return error_reply(
            fault, "The security token included in the request is invalid."
        )
    if waiting := ecr.refused.get(action):
        return error_reply(waiting.pop(0), "no")
    if ecr.throttled[action] > 0:
        ecr.throttled[action] -= 1
        return error_reply("ThrottlingException", "Rate exceeded")
    if action in ecr.denied:
        who = "User: arn:aws:iam::123456789012:user/weighbridge"
        words = f"{who} is not authorized to perform: ecr:{action}"
        return error_reply("AccessDeniedException", words)
    question = json.loads(asked.body)
    if fault := fault_in_question(action, question):
        return violating(ecr, f"{action}: {fault}")
    if question.get("registryId", ecr.account) != ecr.account:
        return error_reply("RepositoryNotFoundException", "not in this registry")
    reply = _ACTIONS[action](ecr, question)
    is_as_told = reply.status == 200 and not (action == PAGED and ecr.page_members)
    if is_as_told and (fault := fault_in_answer(action, json.loads(reply.body))):
        ecr.violations.append(f"the replica's own answer to {action}: {fault}")
    return reply


def _describe_repositories(ecr: ECRState, asked: Asked) -> Reply:
    where = f"{ecr.region}:{ecr.account}"
    entries = [
        {
            "repositoryArn": f"arn:aws:ecr:{where}:repository/{name}",
            "registryId": ecr.account,
            "repositoryName": name,
            "repositoryUri": f"{ecr.account}.dkr.ecr.{ecr.region}.amazonaws.com/{name}",
            "createdAt": PUSHED_AT.timestamp(),
            "imageTagMutability": "MUTABLE",
        }
        for name in ecr.content.repositories()
    ]
    return page_of(
        ecr, "DescribeRepositories", asked, "repositories", "repositoryName", entries
    )


def _describe_images(ecr: ECRState, asked: Asked) -> Reply:
    name = asked.get("repositoryName")
    tags = ecr.content.tags(name) if isinstance(name, str) else None
    if tags is None or name is None:
        return unknown(name)
    wanted = asked.get("filter", {})
    if not isinstance(wanted, dict) or not wanted.keys() <= {
        "tagStatus",
        "imageStatus",
    }:
        return violating(ecr, f"filter {wanted}")
    status = wanted.get("tagStatus", "ANY")
    if status not in ("TAGGED", "UNTAGGED", "ANY") or "imageIds" in asked:
        return violating(ecr, f"filter {wanted}")
    entries = [
        entry
        for entry in images_of(ecr, name, tags)
        if status == "ANY" or ("imageTags" in entry) == (status == "TAGGED")
    ]
    reply = page_of(
        ecr, "DescribeImages", asked, "imageDetails", "imageDigest", entries
    )
    ecr.pages += 1
    if ecr.after_page is not None:
        ecr.after_page(ecr.pages)
    return reply


def images_of(ecr: ECRState, name: str, tags: Sequence[str]) -> list[dict[str, object]]:
    """All images of a repository: those with tags, and the parts of an index."""
    found: dict[str, tuple[Served, list[str]]] = {}
    for tag in tags:
        served = ecr.content.manifest(name, tag)
        if served is None:
            raise ValueError(f"{name}:{tag} names nothing")
        found.setdefault(served.digest, (served, []))[1].append(tag)
    for served, _ in list(found.values()):
        for child in json.loads(served.content).get("manifests", ()):
            if part := ecr.content.manifest(name, child["digest"]):
                found.setdefault(part.digest, (part, []))
    return [_image(ecr, name, *found[digest]) for digest in sorted(found)]


def _image(
    ecr: ECRState, name: str, served: Served, tags: list[str]
) -> dict[str, object]:
    entry: dict[str, object] = {
        "registryId": ecr.account,
        "repositoryName": name,
        "imageDigest": served.digest,
        "imageSizeInBytes": _size(ecr, name, served),
        "imagePushedAt": PUSHED_AT.timestamp(),
        "imageManifestMediaType": served.media_type,
        "imageStatus": "ACTIVE",
    }
    return entry | ({"imageTags": tags} if tags else {})


def _size(ecr: ECRState, name: str, served: Served) -> int:
    """Of an index, the largest of its images."""
    document = json.loads(served.content)
    if "manifests" not in document:
        return sum(layer["size"] for layer in document["layers"])
    parts = (ecr.content.manifest(name, m["digest"]) for m in document["manifests"])
    return max((_size(ecr, name, part) for part in parts if part), default=0)


def page_of(
    ecr: ECRState,
    action: str,
    asked: Asked,
    key: str,
    sorted_by: str,
    entries: Sequence[Mapping[str, object]],
) -> Reply:
    length, token = asked.get("maxResults", 100), asked.get("nextToken")
    if type(length) is not int or not 1 <= length <= 1_000:
        return violating(ecr, f"maxResults {length}")
    first = ""
    rest = json.dumps(
        {k: v for k, v in asked.items() if k != "nextToken"}, sort_keys=True
    )
    if token is not None:
        of, first = ecr.next_tokens.get(token, ("", ""))
        if of != f"{action} {rest}":
            return error_reply(
                "InvalidParameterException", "Invalid parameter at nextToken"
            )
    # A token names the entry that comes next, whatever has gone before it.
    left = [entry for entry in entries if str(entry[sorted_by]) >= first]
    end = min(length, ecr.most_results)
    body: dict[str, object] = {key: left[:end]}
    is_looping = ecr.repeats and action == PAGED
    if end < len(left) or is_looping:
        following = base64.b64encode(secrets.token_bytes(48)).decode()
        after = first if is_looping else str(left[end][sorted_by])
        ecr.next_tokens[following] = (f"{action} {rest}", after)
        body["nextToken"] = following
    if action == PAGED:
        body |= ecr.page_members
    return api_reply(200, body)


def _batch_get_image(ecr: ECRState, asked: Asked) -> Reply:
    name, wanted = asked.get("repositoryName"), asked.get("imageIds")
    accepted = asked.get("acceptedMediaTypes", [])
    if not isinstance(name, str) or ecr.content.tags(name) is None:
        return unknown(name)
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= 100 or not accepted:
        return violating(ecr, "imageIds of BatchGetImage")
    images, failures = [], []
    for one in wanted:
        digest = one.get("imageDigest", "")
        if one.keys() != {"imageDigest"} or not _DIGEST.fullmatch(digest):
            return violating(ecr, f"imageId {one}")
        served = ecr.content.manifest(name, digest)
        if served is None or digest in ecr.hidden | ecr.lost:
            failures.append(
                {
                    "imageId": {"imageDigest": digest},
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                }
            )
            continue
        if served.media_type not in accepted:
            return violating(ecr, f"{served.media_type} is not accepted")
        text = served.content.decode()
        images.append(
            {
                "registryId": ecr.account,
                "repositoryName": name,
                "imageId": {"imageDigest": digest},
                "imageManifest": f" {text}" if digest in ecr.damaged else text,
                "imageManifestMediaType": served.media_type,
            }
        )
    ecr.counts["manifests"] += len(images)
    return api_reply(200, {"images": images, "failures": failures})


def _authorization(ecr: ECRState, asked: Asked) -> Reply:
    if asked:
        return violating(ecr, "registryIds, which is deprecated")
    password = ecr.new_password()
    given = {
        "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
        "expiresAt": ecr.expires_at or time.time() + 12 * 3600,
        "proxyEndpoint": f"https://{ecr.account}.dkr.ecr.{ecr.region}.amazonaws.com",
    }
    return api_reply(200, {"authorizationData": [given]})


_ACTIONS: Final[Mapping[str, Callable[[ECRState, Asked], Reply]]] = {
    "DescribeRepositories": _describe_repositories,
    "DescribeImages": _describe_images,
    "BatchGetImage": _batch_get_image,
    "GetAuthorizationToken": _authorization,
}


def unknown(name: object) -> Reply:
    words = f"The repository with name '{name}' does not exist in the registry"
    return error_reply("RepositoryNotFoundException", words)


def violation(ecr: ECRState, asked: Request, name: str) -> Reply:
    target = asked.headers.get("x-amz-target", "")
    ecr.violations.append(
        f"{asked.method} {asked.target} {target} {asked.body[:200]!r}"
    )
    return error_reply(name, "no")


def violating(ecr: ECRState, what: str) -> Reply:
    ecr.violations.append(what)
    return error_reply("InvalidParameterException", f"Invalid parameter: {what}")


def error_reply(name: str, message: str) -> Reply:
    status = 500 if name == "ServerException" else 400
    return api_reply(status, {"__type": name, "message": message})


def api_reply(status: int, value: object) -> Reply:
    return Reply(status, (("Content-Type", _JSON),), json.dumps(value).encode())
