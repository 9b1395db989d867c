"""A token server whose tokens a real docker-registry takes."""

import base64
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from support.certificates import Authority, an_authority
from support.scripted_registry import Reply, Request

SERVICE = "test registry"
ISSUER = "test issuer"


@dataclass(slots=True)
class TokenIssuer:
    """Signs tokens (distribution, spec/auth/jwt.md) for whoever shows `basic`.

    basic:     the Authorization that is wanted, "" for none
    lasts_s:   how long a token holds at the registry, and what the answer says
    scopes:    what was asked for, in order
    """

    folder: Path
    basic: str = ""
    lasts_s: int = 300
    scopes: list[str] = field(default_factory=list)
    _authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self._authority = an_authority(self.folder)

    def auth_section(self, realm: str) -> dict[str, object]:
        """For the registry's configuration."""
        return {
            "token": {
                "realm": realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": self._authority.ca_file,
            }
        }

    def reply(self, request: Request) -> Reply:
        """A token for every scope that is asked for."""
        if self.basic and request.authorization != self.basic:
            return Reply(401)
        query = parse_qs(urlsplit(request.target).query)
        scopes = query.get("scope", [])
        self.scopes += scopes
        body = {"token": self.token(scopes), "expires_in": self.lasts_s}
        return Reply(body=json.dumps(body).encode())

    def token(self, scopes: list[str]) -> str:
        now = int(time.time())
        certificate = self._authority.certificate.public_bytes(
            serialization.Encoding.DER
        )
        head = {
            "typ": "JWT",
            "alg": "ES256",
            "x5c": [base64.b64encode(certificate).decode()],
        }
        claims = {
            "iss": ISSUER,
            "aud": SERVICE,
            "sub": "",
            "nbf": now - 60,
            "iat": now,
            "exp": now + self.lasts_s,
            "jti": "1",
            "access": [_access(scope) for scope in scopes],
        }
        signed = (
            f"{_part(json.dumps(head).encode())}.{_part(json.dumps(claims).encode())}"
        )
        signature = self._authority.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(signature)
        return f"{signed}.{_part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _access(scope: str) -> dict[str, object]:
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
