"""Drives Chromium by its DevTools protocol, over a socket: no further package is needed."""

import base64
import contextlib
import http.client
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.browser import CHROMIUM, FLAGS


class Tab:
    """A page that runs in Chromium."""

    def __init__(self, address: str):
        parts = urlsplit(address)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {parts.path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._file, self._number = self._socket.makefile("rb"), 0
        while self._file.readline().strip():
            pass

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def call(self, method: str, **parameters: Any) -> dict:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._send(json.dumps(message).encode())
        while True:
            answer = json.loads(self._receive())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, script: str) -> Any:
        """Return what an expression, possibly a promise, evaluates to in the page."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until an expression is true."""
        for _ in range(600):
            if self.run(script):
                return
            time.sleep(0.05)
        raise AssertionError(
            f"never true: {script}; the page says {self.run('document.body.innerText')}"
        )

    def shot(self, file: Path) -> None:
        """Write a picture of the page."""
        data = self.call("Page.captureScreenshot")["data"]
        file.write_bytes(base64.b64decode(data))

    def _send(self, data):
        mask = os.urandom(4)
        size = len(data)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else b""
        if 126 <= size < 65536:
            head = struct.pack("!BBH", 0x81, 0x80 | 126, size)
        elif size >= 65536:
            head = struct.pack("!BBQ", 0x81, 0x80 | 127, size)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        self._socket.sendall(head + mask + masked)

    def _receive(self):
        parts, last = [], False
        while not last:
            first, size = self._file.read(2)
            last = bool(first & 0x80)
            if size == 126:
                (size,) = struct.unpack("!H", self._file.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._file.read(8))
            parts.append(self._file.read(size))
        return b"".join(parts)


@contextlib.contextmanager
def open_tab(folder: Path, address: str) -> Iterator[Tab]:
    """Open a page in a Chromium of its own."""
    words = [CHROMIUM, *FLAGS.split(), "--remote-debugging-port=0", f"--user-data-dir={folder}/tab"]
    browser = subprocess.Popen([*words, "about:blank"], stderr=subprocess.DEVNULL)
    try:
        known = folder / "tab/DevToolsActivePort"
        for _ in range(600):
            if known.exists() and known.read_text().count("\n"):
                break
            time.sleep(0.05)
        port = int(known.read_text().split()[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/json/list")
        pages = json.loads(connection.getresponse().read())
        connection.close()
        tab = Tab(next(p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page"))
        try:
            tab.call("Page.enable")
            tab.call("Page.navigate", url=address)
            tab.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")
            yield tab
        finally:
            tab.close()
    finally:
        browser.terminate()
        browser.wait()
