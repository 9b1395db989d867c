"""`/v2` of ECR for the password that the API gives, and the storage of its blobs."""

import base64
import re
from typing import Final
from urllib.parse import parse_qs

from support.ecr_replica.state import ECRState
from support.vendor_hosts import Reply, Request, json_reply
from weighbridge.demo.http.server import answer as registry_answer

_KNOWN: Final = re.compile(r"/v2/(?:(.+)/(manifests|blobs)/([^/]+))?")
_SERVICE: Final = "ecr.amazonaws.com"
_LAYERS: Final = "GetDownloadUrlForLayer"


def registry(ecr: ECRState, asked: Request) -> Reply:
    """ACCOUNT.dkr.ecr.REGION.amazonaws.com."""
    found = _KNOWN.fullmatch(asked.target)
    if found is None:
        ecr.violations.append(f"{asked.method} {asked.target}")
        return json_reply(405, {"errors": [{"code": "UNSUPPORTED"}]})
    scheme, _, pair = asked.authorization.partition(" ")
    if scheme not in ("", "Basic"):
        ecr.violations.append(f"{scheme} at {asked.target}")
    user, _, password = base64.b64decode(pair).decode().partition(":")
    if user != "AWS" or not ecr.is_password(password):
        if user not in ("", "AWS"):
            ecr.violations.append(f"the secret of {user} at {asked.target}")
        ecr.counts["registry_401"] += 1
        challenge = f'Basic realm="{ecr.registry_url}/",service="{_SERVICE}"'
        return Reply(401, (("WWW-Authenticate", challenge),), b"Not Authorized\n")
    served = ecr.content.manifest(found[1] or "", found[3] or "")
    if served is not None and served.digest in ecr.lost:
        ecr.counts["lost"] += 1
        return json_reply(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})
    made = registry_answer(ecr.content, asked.method, asked.target, asked.headers)
    if made.blob is not None and _LAYERS in ecr.denied:
        words = f"not authorized to perform: ecr:{_LAYERS}"
        return json_reply(403, {"errors": [{"code": "DENIED", "message": words}]})
    if made.blob is not None and asked.method == "GET":
        ecr.counts["blob_redirect"] += 1
        where = (
            f"{ecr.storage_url}{asked.target}?X-Amz-Signature=ab12&X-Amz-Expires=3600"
        )
        return Reply(307, (("Location", where),))
    ecr.counts[made.kind] += 1
    return Reply(made.status, made.headers, made.body, made.content_length)


def storage(ecr: ECRState, asked: Request) -> Reply:
    """prod-REGION-starport-layer-bucket.s3.REGION.amazonaws.com: for a signed URL, and
    for nothing else."""
    path, _, query = asked.target.partition("?")
    if asked.authorization or "X-Amz-Signature" not in parse_qs(query):
        ecr.violations.append(f"{asked.method} {asked.target} at the storage")
        return Reply(400, (), b"<Error><Code>InvalidArgument</Code></Error>")
    made = registry_answer(ecr.content, asked.method, path, asked.headers)
    ecr.counts[made.kind] += 1
    if made.blob is None:
        return Reply(made.status, made.headers, made.body)
    if made.content_length > 1024 * 1024:
        ecr.violations.append(f"all of {path}")
    return Reply(made.status, made.headers, made.blob.read(made.first, made.last))
