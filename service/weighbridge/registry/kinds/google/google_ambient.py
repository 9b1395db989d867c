"""Access tokens of what this machine is at Google: a workload of GKE or an instance, by
the metadata server; a key, or a federated identity, of the file that
GOOGLE_APPLICATION_CREDENTIALS names; or what `gcloud auth application-default login`
has left (google.aip.dev/auth/4110). All of that is google-auth's work, an extra.

It asks by connections of its own, and only where this machine's environment and files
say: nothing of a registry reaches it, but the end of a token.
"""

import asyncio
import logging
import threading
from datetime import UTC, datetime
from typing import Any, Final

from weighbridge.domain.text.masking import mask
from weighbridge.domain.text.printable import Secret, printable
from weighbridge.errors import AuthError
from weighbridge.registry.kinds.google.google_token import TOKEN_USER
from weighbridge.registry.login.credentials import (
    Credential,
    GivenCredential,
    bearer,
    is_bearer_token,
)
from weighbridge.registry.login.given_login import GivenLogin
from weighbridge.registry.pacing.rate_limiter import Clock

PIP_LINE: Final = "python -m pip install 'weighbridge[google]'"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
"""What a token may be used for at most; what it may do is said by roles."""
_ANSWER_S: Final = 10.0
"""For one answer: google-auth's own patience is two minutes."""
_PATIENCE_S: Final = 45.0
_EARLY_S: Final = 225.0
"""Before its end: the metadata server gives the same token until five minutes before
(google-auth, REFRESH_THRESHOLD)."""
_UNKNOWN_S: Final = 300.0
_SHOWN_CHARACTERS: Final = 256
_PLACES: Final = {
    "google.auth.compute_engine": "the metadata server",
    "google.oauth2.service_account": "a key of GOOGLE_APPLICATION_CREDENTIALS",
    "google.auth": "workload identity federation",
    "google.oauth2": "the login of gcloud",
}
"""What a module of google-auth makes credentials from, the longest name first."""


class GoogleAmbient:
    """What google-auth finds, and renews."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found = ""
        # Any: what google-auth gives has a type for each way.
        self._credentials: Any = None

    def __str__(self) -> str:
        return self._found or "the Google credentials of this machine"

    async def ask(self) -> GivenCredential:
        """A new token. Raises AuthError (auth_error, missing_extra)."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                # In a thread: it reads files and asks servers.
                token, ends_at = await asyncio.to_thread(self._ask)
        except TimeoutError as exc:
            raise AuthError(
                f"{self} gave no token within {_PATIENCE_S:.0f} s",
                hint="check that the metadata server, or sts.googleapis.com and"
                " oauth2.googleapis.com, can be reached from here",
            ) from exc
        left_s = _UNKNOWN_S
        if ends_at is not None:
            left_s = (ends_at.replace(tzinfo=UTC) - self._clock.now()).total_seconds()
        lasts_s = max(0.0, left_s - min(_EARLY_S, left_s / 10))
        return GivenCredential(Credential(TOKEN_USER, token), lasts_s)

    def _ask(self) -> tuple[Secret, datetime | None]:
        try:
            from google.auth import default
            from google.auth.credentials import with_scopes_if_required
            from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
            from google.auth.transport.requests import Request
        except ImportError as exc:
            raise AuthError(
                "`auth: ambient` needs google-auth, which is not installed",
                code="missing_extra",
                hint=f"{PIP_LINE}, or give a `key_file`",
            ) from exc

        # It warns of a project that it does not know, which nobody here asks for.
        logging.getLogger("google.auth").setLevel(logging.ERROR)
        request = _bounded(Request())
        with self._lock:
            try:
                if self._credentials is None:
                    # A scope comes after: with one, google-auth would ask which
                    # project this is.
                    found, _ = default(request=request)
                    scoped = with_scopes_if_required(found, [_SCOPE])  # type: ignore[no-untyped-call]
                    self._credentials = scoped
                found = self._credentials
                found.refresh(request)
            except DefaultCredentialsError as exc:
                raise AuthError(
                    f"no Google credentials were found on this machine: {_words(exc)}",
                    hint="run it as a Kubernetes service account with workload identity"
                    " or on an instance with a service account, set"
                    " GOOGLE_APPLICATION_CREDENTIALS, or give a `key_file`",
                ) from None
            except (GoogleAuthError, OSError, ValueError) as exc:
                self._credentials = None
                raise AuthError(
                    f"no Google token could be had: {_words(exc)}",
                    hint="check the binding of the service account"
                    " (roles/iam.workloadIdentityUser), or the file that"
                    " GOOGLE_APPLICATION_CREDENTIALS names",
                ) from None
            self._found = _described(found)
            if not isinstance(found.token, str) or not is_bearer_token(found.token):
                raise AuthError(f"{self} gave a token that cannot be sent")
            return Secret(found.token), found.expiry


def _bounded(request: Any) -> Any:
    """A transport of google-auth that waits for no answer for long, and follows no
    redirect: where it leads would be shown our credentials."""

    def ask(*args: object, **named: Any) -> object:
        named["timeout"] = min(named.get("timeout") or _ANSWER_S, _ANSWER_S)
        return request(*args, **named, allow_redirects=False)

    return ask


def _described(credentials: Any) -> str:
    module = type(credentials).__module__
    place = next(
        (words for start, words in _PLACES.items() if module.startswith(start)),
        "google-auth",
    )
    email = getattr(credentials, "service_account_email", None)
    if not isinstance(email, str) or not email:
        return f"the Google credentials of this machine ({place})"
    return f"{printable(email, _SHOWN_CHARACTERS)} ({place})"


def _words(error: BaseException) -> str:
    """What google-auth says; a cause may quote more than anybody may see."""
    return printable(mask(" ".join(str(error).split())), _SHOWN_CHARACTERS)


class AmbientToken:
    """`GoogleToken`: the same credential, shown to the API."""

    def __init__(self, login: GivenLogin) -> None:
        self._login = login

    async def authorization(self) -> Secret:
        given = await self._login.credential(None)
        token = None if given is None else given.password
        return bearer(token or Secret(""))


def ambient_login(clock: Clock) -> GivenLogin:
    """The login of one client."""
    ambient = GoogleAmbient(clock)
    return GivenLogin(ambient, ambient.ask, clock, lambda: _refused(ambient))


def _refused(ambient: GoogleAmbient) -> AuthError:
    return AuthError(
        f"the registry refuses the token of {ambient}",
        code="unauthorized",
        hint="give it the role roles/artifactregistry.reader on the repository or its"
        " project",
    )
