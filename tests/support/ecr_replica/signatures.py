"""Whether a request is signed as AWS wants it: botocore signs it once more."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.ecr_replica.state import ECRState
from support.vendor_hosts import Request

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z-]+)/"
    r"aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)
_WANTED: Final = {"host", "x-amz-date", "x-amz-target"}
_AGE: Final = timedelta(minutes=5)


def fault_of(ecr: ECRState, asked: Request, service: str = "ecr") -> str:
    """The name of AWS's error; "" for a good signature."""
    found = _AUTHORIZATION.fullmatch(asked.authorization)
    if found is None:
        return "MissingAuthenticationTokenException"
    key_id, day, region, named, names, signature = found.groups()
    secret = ecr.keys.get(key_id)
    if secret is None:
        return "UnrecognizedClientException"
    session = asked.headers.get("x-amz-security-token")
    if session != ecr.sessions.get(key_id):
        return "ExpiredTokenException" if session else "UnrecognizedClientException"
    signed = names.split(";")
    at = _time(asked.headers.get("x-amz-date", ""))
    is_whole = named == service and set(signed) >= _WANTED and sorted(signed) == signed
    if at is None or not is_whole or region != ecr.region or f"{at:%Y%m%d}" != day:
        return "IncompleteSignatureException"
    if abs(datetime.now(UTC) - at) > _AGE:
        return "InvalidSignatureException"
    good = _signature(ecr, asked, signed, Credentials(key_id, secret), service)
    return "" if good == signature else "InvalidSignatureException"


def _signature(
    ecr: ECRState,
    asked: Request,
    signed: list[str],
    credentials: Credentials,
    service: str,
) -> str:
    host = asked.headers["host"]
    request = AWSRequest("POST", f"http://{host}{asked.target}", data=asked.body)
    for name in signed:
        request.headers[name] = asked.headers.get(name, "")
    request.context["timestamp"] = asked.headers["x-amz-date"]
    signer = SigV4Auth(credentials, service, ecr.region)
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
