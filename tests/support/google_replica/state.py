"""Who may see what at the replica, and what was asked of it."""

import json
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from weighbridge.demo.content.stored_documents import RegistryContent

UPLOADED_AT = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
ACCESS_TOKEN = "ya29.correct-horse-battery"
KEY = {
    "type": "service_account",
    "project_id": "acme",
    "private_key_id": "0a1b2c3d",
    "private_key": "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
    "client_email": "weighbridge@acme.iam.gserviceaccount.com",
    "token_uri": "https://oauth2.googleapis.com/token",
}
Edit = Callable[[str, dict[str, Any]], object]


@dataclass(slots=True)
class Google:
    """A registry of Google over a content; names are PROJECT/REPOSITORY/IMAGE.

    content:      may be replaced while it is served
    unknown:      what it says of a name that it does not know: Artifact Registry has
                  no such thing, Container Registry has nothing in it
    public:       projects that are read without signing in
    hidden:       names that are refused to everybody, with all below them
    has_catalog:  whether `_catalog` is answered
    edit:         changes what `tags/list` says of a name before it is sent
    throttled:    so many requests more are refused for being too many
    api_page:     the most entries that a page of the API has; it may give fewer than
                  it is asked for
    api_refuses:  a status with which the API answers everything
    api_edit:     changes a page of the API before it is sent
    public_key:   of the service account that may ask the API
    forget_after: answers after which every token has ended, once
    counts:       requests by kind
    violations:   what no client of the real one may do
    """

    content: RegistryContent
    unknown: Literal["404", "empty"] = "404"
    public: frozenset[str] = frozenset()
    hidden: tuple[str, ...] = ()
    has_catalog: bool = False
    edit: Edit | None = None
    throttled: int = 0
    api_page: int = 1_000
    api_refuses: int = 0
    api_edit: Callable[[dict[str, Any]], object] | None = None
    public_key: RSAPublicKey | None = None
    forget_after: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    tokens: dict[str, tuple[str, bool]] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    page_tokens: dict[str, tuple[str, int]] = field(default_factory=dict)
    url: str = ""
    api_url: str = ""
    storage_url: str = ""

    def new_token(self, repository: str, *, is_user: bool) -> str:
        token = f"token.{secrets.token_urlsafe(12)}"
        self.tokens[token] = repository, is_user
        return token

    def may_read(self, name: str, *, is_user: bool) -> bool:
        if any(name == cut or name.startswith(f"{cut}/") for cut in self.hidden):
            return False
        return is_user or name.partition("/")[0] in self.public

    def take_counts(self) -> dict[str, int]:
        """Since the last time."""
        counted = dict(self.counts)
        self.counts.clear()
        return counted


def key_file(folder: Path, private_key: str = "") -> Path:
    """A key as Google writes it, on many lines. private_key: one that can sign"""
    path = folder / "key.json"
    key = KEY | ({"private_key": private_key} if private_key else {})
    path.write_text(json.dumps(key, indent=2), encoding="utf-8")
    return path


@cache
def signing_key() -> tuple[str, RSAPublicKey]:
    """A private key in PEM, and its public half."""
    made = generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode(), made.public_key()
