"""Where Google gives the tokens of a workload: the metadata server, its security token
service, and the API by which one account takes the place of another.

By cloud.google.com/compute/docs/metadata/querying-metadata,
cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token and
cloud.google.com/iam/docs/reference/credentials/rest. Each asks for what these demand.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from support.google_replica.state import ACCESS_TOKEN
from support.vendor_hosts import Reply, Request, json_reply, vendor_host

EMAIL: Final = "weighbridge@acme.iam.gserviceaccount.com"
SUBJECT_TOKEN: Final = "eyJ.subject-of-the-cluster.sig"
FEDERATED_TOKEN: Final = "federated.correct-horse"
AUDIENCE: Final = "//iam.googleapis.com/projects/1/locations/global/" + (
    "workloadIdentityPools/p/providers/k"
)
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_ACCOUNT: Final = "/computeMetadata/v1/instance/service-accounts/default"
_FLAVOR: Final = (("Metadata-Flavor", "Google"),)
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"


@dataclass(slots=True)
class GoogleIdentity:
    """
    token:       that the metadata server gives
    has_account: whether this workload has one
    iam_is_next: what the token service gives is good for the IAM API alone
    asked:       tokens that were given
    violations:  requests that no client may send
    """

    token: str = ACCESS_TOKEN
    has_account: bool = True
    iam_is_next: bool = False
    asked: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    metadata_url: str = ""
    sts_url: str = ""
    iam_url: str = ""


@contextmanager
def google_identity(identity: GoogleIdentity) -> Iterator[GoogleIdentity]:
    """Serve it; its URLs are known inside the block."""
    with ExitStack() as stack:
        for name, answer in (
            ("metadata_url", _metadata),
            ("sts_url", _sts),
            ("iam_url", _iam),
        ):
            served = vendor_host(partial(answer, identity))
            setattr(identity, name, stack.enter_context(served))
        yield identity
    assert identity.violations == []


def federation_file(
    folder: Path, identity: GoogleIdentity, *, as_account: bool
) -> Path:
    """What `gcloud iam workload-identity-pools create-cred-config` writes."""
    subject = folder / "subject.token"
    subject.write_text(SUBJECT_TOKEN, encoding="utf-8")
    said: dict[str, object] = {
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": _JWT,
        "token_url": f"{identity.sts_url}/v1/token",
        "credential_source": {"file": str(subject)},
    }
    if as_account:
        place = f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
        said["service_account_impersonation_url"] = identity.iam_url + place
    identity.iam_is_next = as_account
    path = folder / "federation.json"
    path.write_text(json.dumps(said), encoding="utf-8")
    return path


def _metadata(identity: GoogleIdentity, asked: Request) -> Reply:
    path, _, query = asked.target.partition("?")
    if asked.method != "GET" or asked.headers.get("metadata-flavor") != "Google":
        return _violation(identity, asked)
    said = parse_qs(query)
    if path == "/":
        return Reply(200, _FLAVOR, b"computeMetadata/\n")
    if path == "/computeMetadata/v1/project/project-id":
        return Reply(200, (*_FLAVOR, ("Content-Type", "application/text")), b"acme")
    if path == f"{_ACCOUNT}/" and said == {"recursive": ["true"]}:
        account = {"aliases": ["default"], "email": EMAIL, "scopes": [_SCOPE]}
        return _account(identity, account)
    if path == f"{_ACCOUNT}/token" and said == {"scopes": [_SCOPE]}:
        identity.asked.append("metadata token")
        token = {"access_token": identity.token, "expires_in": 3_599}
        return _account(identity, token | {"token_type": "Bearer"})
    return _violation(identity, asked)


def _account(identity: GoogleIdentity, said: Mapping[str, object]) -> Reply:
    if not identity.has_account:
        return Reply(404, _FLAVOR, b"<!DOCTYPE html><title>Error 404</title>")
    return json_reply(200, said, _FLAVOR)


def _sts(identity: GoogleIdentity, asked: Request) -> Reply:
    form = parse_qs(asked.body.decode())
    kind = asked.headers.get("content-type")
    expected = {
        "grant_type": ["urn:ietf:params:oauth:grant-type:token-exchange"],
        "audience": [AUDIENCE],
        "requested_token_type": [_ACCESS],
        "subject_token_type": [_JWT],
        "subject_token": form.get("subject_token", [""]),
        "scope": form.get("scope", [""]),
    }
    is_good = kind == "application/x-www-form-urlencoded" and form == expected
    if asked.method != "POST" or asked.target != "/v1/token" or not is_good:
        return _violation(identity, asked)
    if form["subject_token"] != [SUBJECT_TOKEN]:
        words = "The provided credential is not valid."
        return json_reply(400, {"error": "invalid_grant", "error_description": words})
    identity.asked.append("sts")
    token = {"access_token": FEDERATED_TOKEN, "issued_token_type": _ACCESS}
    if form["scope"] == [_SCOPE] and not identity.iam_is_next:
        token["access_token"] = ACCESS_TOKEN
    return json_reply(200, token | {"token_type": "Bearer", "expires_in": 3_600})


def _iam(identity: GoogleIdentity, asked: Request) -> Reply:
    place = f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    is_good = asked.method == "POST" and asked.target == place
    if not is_good or asked.authorization != f"Bearer {FEDERATED_TOKEN}":
        return _violation(identity, asked)
    if json.loads(asked.body)["scope"] != [_SCOPE]:
        return _violation(identity, asked)
    identity.asked.append("generateAccessToken")
    until = {"accessToken": ACCESS_TOKEN, "expireTime": "2099-01-01T00:00:00Z"}
    return json_reply(200, until)


def _violation(identity: GoogleIdentity, asked: Request) -> Reply:
    identity.violations.append(f"{asked.method} {asked.target} {asked.body.decode()}")
    return json_reply(400, {"error": "invalid_request"})
