"""A headless browser, driven over a pair of pipes (Chrome DevTools Protocol).

Pipes need no port and no client library: messages are JSON, each ended by a NUL.
Windows narrower than 500 px cannot be had by `--window-size`; the protocol lays a
page out at any width.
"""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import pytest

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_HIGH: Final = 20


@dataclass(slots=True)
class Seen:
    """What a page did while it was loaded."""

    dialogs: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Browser:
    """One tab. Every method waits until the browser has answered."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out = os.fdopen(to_browser, "wb", buffering=0)
        self._in = os.fdopen(from_browser, "rb", buffering=0)
        self._pending = b""
        self._number = 0
        self._session: str | None = None
        self.seen = Seen()
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = str(attached["sessionId"])
        for domain in ("Page", "Log", "Runtime", "Network"):
            self._ask(f"{domain}.enable")

    def open(
        self,
        url: str,
        *,
        width: int = 1280,
        theme: Literal["light", "dark"] = "light",
        script: bool = True,
    ) -> Seen:
        """Load the page at this width and wait for it; what it did meanwhile."""
        self.seen = Seen()
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 640,
        )
        self._ask("Emulation.setScriptExecutionDisabled", value=not script)
        preference = {"name": "prefers-color-scheme", "value": theme}
        self._ask("Emulation.setEmulatedMedia", features=[preference])
        self._ask("Page.navigate", url=url)
        self._until("Page.loadEventFired")
        return self.seen

    def value(self, expression: str) -> object:
        """What a JavaScript expression gives in the page, or what it promises."""
        answer = self._ask(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        result = answer["result"]
        assert isinstance(result, dict)
        return result.get("value")

    def dom(self) -> str:
        """The document as the browser understood it."""
        return str(self.value("document.documentElement.outerHTML"))

    def press(self, key: str) -> None:
        """A key, as if typed."""
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, text=key)

    def close(self) -> None:
        """Let the browser end."""
        self._out.close()
        self._in.close()

    def _ask(self, method: str, **params: object) -> Mapping[str, object]:
        self._number += 1
        message: dict[str, object] = {
            "id": self._number,
            "method": method,
            "params": params,
        }
        if self._session is not None:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                result = answer["result"]
                assert isinstance(result, dict)
                return result

    def _until(self, event: str) -> None:
        while self._next().get("method") != event:
            pass

    def _next(self) -> Mapping[str, object]:
        while b"\0" not in self._pending:
            received = os.read(self._in.fileno(), 1 << 16)
            assert received, "the browser has ended"
            self._pending += received
        raw, _, self._pending = self._pending.partition(b"\0")
        message = json.loads(raw)
        assert isinstance(message, dict)
        self._note(message)
        return message

    def _note(self, message: Mapping[str, object]) -> None:
        params = message.get("params")
        if not isinstance(params, dict):
            return
        match message.get("method"):
            case "Page.javascriptDialogOpening":
                self.seen.dialogs.append(str(params["message"]))
                self._send_only("Page.handleJavaScriptDialog", accept=True)
            case "Log.entryAdded":
                self.seen.complaints.append(str(params["entry"]["text"]))
            case "Runtime.exceptionThrown":
                self.seen.complaints.append(str(params["exceptionDetails"]))
            case "Network.requestWillBeSent":
                self.seen.requests.append(str(params["request"]["url"]))

    def _send_only(self, method: str, **params: object) -> None:
        """Without waiting: called while an answer is being waited for."""
        message = {
            "id": 0,
            "method": method,
            "params": params,
            "sessionId": self._session,
        }
        self._out.write(json.dumps(message).encode() + b"\0")


@contextmanager
def a_browser(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile; skips where there is none, but not in CI."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing")
        pytest.skip("chromium is missing")
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    theirs = [
        fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH) for fd in (their_in, their_out)
    ]

    def take_pipes() -> None:
        # Chromium reads commands from 3 and answers on 4.
        os.dup2(theirs[0], 3)
        os.dup2(theirs[1], 4)

    process = subprocess.Popen(
        [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        close_fds=False,
        preexec_fn=take_pipes,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for fd in (their_in, their_out, *theirs):
        os.close(fd)
    browser = Browser(our_out, our_in)
    try:
        yield browser
    finally:
        browser.close()
        process.terminate()
        process.wait(10)
