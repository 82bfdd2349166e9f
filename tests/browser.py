# SPDX-License-Identifier: BSD-3-Clause
"""A headless Chromium, spoken to over its debugging protocol with nothing but sockets."""

import base64
import itertools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile

import pytest

needs_browser = pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")


class Browser:
    """One page. What its console says stands in `said`."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0",
             f"--user-data-dir={self.folder.name}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"ws://([^:]*):(\d+)(/\S*)", line)
            if found:
                break
        self.socket = socket.create_connection((found[1], int(found[2])), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET {found[3]} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        while self.file.readline().strip():
            pass
        self.numbers, self.session, self.said = itertools.count(1), None, []
        target = next(one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for what in ("Page", "Runtime", "Log"):
            self.ask(f"{what}.enable")

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()
        self.folder.cleanup()

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = (struct.pack(">BQ", 0xFF, len(data)) if len(data) > 0xFFFF else
                struct.pack(">BH", 0xFE, len(data)) if len(data) > 125 else bytes([0x80 | len(data)]))
        self.socket.sendall(b"\x81" + size + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def receive(self):
        """One message, of as many frames as it takes."""
        text = b""
        while True:
            head, size = self.file.read(2)
            if size == 126:
                size, = struct.unpack(">H", self.file.read(2))
            elif size == 127:
                size, = struct.unpack(">Q", self.file.read(8))
            text += self.file.read(size)
            if head & 0x80:
                return json.loads(text)

    def ask(self, method, **parameters):
        number = next(self.numbers)
        self.send(json.dumps({"id": number, "method": method, "params": parameters,
                              **({"sessionId": self.session} if self.session else {})}))
        while True:
            message = self.receive()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
                self.said.append(json.dumps(message["params"]))

    def open(self, url, width=1400, dark=False, media=""):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.ask("Page.navigate", url=url)

    def value(self, expression):
        done = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def mouse(self, kind, x, y):
        self.ask("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, button="none" if kind == "Moved" else "left",
                 buttons=0 if kind == "Released" else 1, clickCount=1)

    def key(self, key, text=None):
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def axe(self):
        """The accessibility faults that axe finds in the page, by rule; None where this Chromium has no axe. It comes with
        the Lighthouse of Chromium's own developer tools, as a string in a script."""
        here = self.value("location.href")
        self.ask("Page.navigate", url="devtools://devtools/bundled/third_party/lighthouse/lighthouse-dt-bundle.js")
        text = ""
        for _ in range(100):
            text = self.value("document.body && document.readyState == 'complete' ? document.body.textContent : ''")
            if text:
                break
        found = re.search(r"`/\*! axe v(?:[^`\\]|\\.)*`", text, re.DOTALL)
        self.ask("Page.navigate", url=here)
        while self.value("document.readyState") != "complete" or self.value("location.href") != here:
            pass
        if not found:
            return None
        self.ask("Runtime.evaluate", expression=self.value(found[0]))
        return self.axe_run()

    def axe_run(self):
        return self.value("axe.run(document, {resultTypes: ['violations']}).then(done => done.violations.map(one => "
                          "({rule: one.id, impact: one.impact, where: one.nodes.map(node => node.html + ' ' + node.failureSummary)})))")

    def picture(self, path):
        """The whole page, as a PNG."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
