"""A real Firefox, told what to do by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks itself."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.ports import free_port
from tests.processes import need, wait_until

#: Nothing is asked of anybody but the server under test.
PREFERENCES = """
user_pref("app.update.disabledForTesting", true);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.server", "data:,");
"""
#: Firefox tells the console of what a page's policy forbids, but not us.
WATCH = """() => addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
  console.error(`CSP: ${violatedDirective} ${blockedURI}`);
})"""
PATIENCE_S = 60


class Firefox:
    """One browser with one page. `complaints`: errors and warnings of the page, and what its policy forbade.

    There is a page after forget().
    """

    def __init__(self, folder: Path) -> None:
        program = need("/usr/bin/firefox-esr", "Firefox (firefox-esr)")
        (folder / "user.js").write_text(PREFERENCES)
        port = free_port()
        command = [program, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", str(port)]
        with (folder / "log").open("wb") as log:
            environment = {**os.environ, "HOME": str(folder)}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.complaints: list[str] = []
        self._number = 0
        self._socket = wait_until(lambda: open_socket(port), PATIENCE_S, "Firefox listens")
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self.call("script.addPreloadScript", functionDeclaration=WATCH)
        self.context = self._profile = ""

    def call(self, method: str, **parameters: Any) -> Any:
        """The answer to one command."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(PATIENCE_S))
            if message.get("id") == self._number:
                assert message["type"] == "success", message
                return message["result"]
            if message.get("method") == "log.entryAdded" and message["params"]["level"] in {"error", "warn"}:
                self.complaints.append(message["params"]["text"])

    def forget(self) -> None:
        """Begin with a new page, which shares no storage and no service worker with those before; they end."""
        before, self._profile = self._profile, self.call("browser.createUserContext")["userContext"]
        self.context = self.call("browsingContext.create", type="tab", userContext=self._profile)["context"]
        if before:
            self.call("browser.removeUserContext", userContext=before)
        self.complaints = []

    def open(self, url: str) -> None:
        """Go there."""
        self.call("browsingContext.navigate", context=self.context, url=url, wait="interactive")

    def evaluate(self, expression: str) -> Any:
        """What the JavaScript says, by way of JSON."""
        asked = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        target = {"context": self.context}
        answer = self.call("script.evaluate", expression=asked, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def wait_for(self, claim: str) -> None:
        """Wait until the JavaScript `claim` is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.evaluate(claim):
            assert time.monotonic() < deadline, f"Not in {PATIENCE_S} s: {claim}; {self.complaints}"
            time.sleep(0.1)

    def press(self, *keys: str) -> None:
        """One key after the other."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        actions = [{"type": "key", "id": "keyboard", "actions": strokes}]
        self.call("input.performActions", context=self.context, actions=actions)

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def open_socket(port: int) -> ClientConnection | None:
    """The way to Firefox; None: it does not listen yet."""
    try:
        return connect(f"ws://127.0.0.1:{port}/session", max_size=None, compression=None, legacy=True)
    except OSError:
        return None
