"""Drive a headless Chromium with the DevTools protocol.

Commands go to Chromium through one pipe, and its answers come through another. Each message is JSON and a zero byte.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile

BROWSER = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), None)
MISSING = "Chromium is not installed. On Debian: apt-get install chromium"
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60  # seconds to wait for a message
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Tab": 9}


class Browser:
    """A running browser. Usage: with Browser() as browser: page = browser.open(url)"""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="tinygan-browser-")
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        words = ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "bash", BROWSER, *OPTIONS]
        words += [f"--user-data-dir={self.folder}"]
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = subprocess.Popen(words, pass_fds=(commands, answers), **quiet)
        os.close(commands)
        os.close(answers)
        self.number, self.events, self.buffer, self.targets = 0, [], b"", []
        return self

    def __exit__(self, *error):
        with contextlib.suppress(OSError, AssertionError):
            self.call("Browser.close")
        self.process.wait(30)
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, session=None, **params):
        """Send a command and return its result. Append the events that arrive before it to self.events."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        self.send(json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def send(self, content):
        while content:
            content = content[os.write(self.commands, content) :]

    def receive(self):
        while b"\0" not in self.buffer:
            assert select.select([self.answers], [], [], PATIENCE)[0], f"no message from Chromium in {PATIENCE} seconds"
            self.buffer += (read := os.read(self.answers, 2**20))
            assert read, "the browser has ended"
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def close_pages(self):
        """Close all pages, because a hidden page would keep running."""
        for target in self.targets:
            self.call("Target.closeTarget", targetId=target)
        self.targets, self.events = [], []

    def open(self, url, width=1000, height=1100, dark=False, touch=False):
        return Page(self, url, width, height, dark, touch)


class Page:
    """A loaded page in its own tab, with its own size."""

    def __init__(self, browser, url, width, height, dark, touch):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        browser.targets.append(target)
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.bringToFront")
        self.call("Page.navigate", url=url)
        while not any(self.is_mine(event, "Page.loadEventFired") for event in browser.events):
            browser.events.append(browser.receive())

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def is_mine(self, event, *methods):
        return event.get("sessionId") == self.session and event.get("method") in methods

    def run(self, script):
        """Run the script as the body of an async function in the page. Return the result of the function."""
        expression = f"(async () => {{ {script} }})()"
        done = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]["exception"]["description"]
        return done["result"].get("value")

    def errors(self):
        """Return the page's exceptions, console messages and log entries, except log entries of the level warning."""
        self.run("await new Promise(done => setTimeout(done, 50))")  # wait for late events
        methods = "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"
        found = [event["params"] for event in self.browser.events if self.is_mine(event, *methods)]
        return [params for params in found if params.get("entry", {}).get("level") != "warning"]

    def middle(self, selector):
        """Scroll to an element. Return the window coordinates of its centre."""
        return self.run(f"""
            const node = document.querySelector({json.dumps(selector)});
            node.scrollIntoView({{ block: "center" }});
            const box = node.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];""")

    def click(self, selector):
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def touch(self, selector, dx=0, dy=0):
        """Touch the centre of an element, move the finger by (dx, dy), and lift it."""
        x, y = self.middle(selector)
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        for share in (0.5, 1.0):
            to = [{"x": x + share * dx, "y": y + share * dy}]
            if dx or dy:
                self.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=to)
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key, times=1):
        """Press and release a key. The focused element receives it."""
        for kind in ("rawKeyDown", "keyUp") * times:
            text = {"text": "\r"} if key == "Enter" and kind == "rawKeyDown" else {}
            kind = "keyDown" if text else kind
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key], **text)

    def screenshot(self, path=None):
        """Return a PNG of the window. If there is a `path`, also write the PNG to it."""
        png = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        if path:
            with open(path, "wb") as file:
                file.write(png)
        return png
