"""A web server for the folder of a run, for `train.py --watch`, so that a browser can follow the training."""

from __future__ import annotations

import functools
import threading
import time
from contextlib import suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from ..backend import distributed
from . import report
from .terminal import say

ADDRESS = "127.0.0.1"  # only this machine can reach it
LINGER = 3.0  # seconds after the training; an open page sends a request every 2 seconds (page/watch.js)
IDLE = 5.0  # seconds after which a connection without a request is closed
CONNECTIONS = 16  # open connections, at most: each has a thread and a file descriptor, which the training needs too


class Server(ThreadingHTTPServer):
    """A server that refuses further connections while CONNECTIONS are open. It prints nothing. asked: the time of the
    last request, or None.
    """

    asked: float | None = None

    def __init__(self, *words) -> None:
        self.places = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(*words)

    def process_request(self, request, client_address) -> None:
        if not self.places.acquire(blocking=False):
            return self.shutdown_request(request)
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self.places.release()
            raise

    def process_request_thread(self, request, client_address) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def handle_error(self, request, client_address) -> None:
        """Print nothing: the browser has closed the connection, or has sent something else than a request."""

    @property
    def address(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def linger(self) -> None:
        """Wait for a few seconds if a page is open, so that it can load the end of the run."""
        if self.asked and time.monotonic() - self.asked < LINGER:
            time.sleep(LINGER)


class Handler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD with files of one folder. A link to a file outside this folder gives the error 404."""

    timeout = IDLE

    def send_head(self):
        self.server.asked = time.monotonic()
        if not self.is_ours() or not self.is_known():
            return self.send_error(404)
        return super().send_head()

    def is_known(self) -> bool:
        """Return whether the request names a file in the folder. The address "/" is the page of the run."""
        try:
            if urlsplit(self.path).path == "/":
                self.path = "/report.html"
            path = Path(self.translate_path(self.path)).resolve()
            return path.is_relative_to(self.directory) and path.is_file()
        except (OSError, ValueError):  # a name that no file can have: too long, or with a zero byte
            return False

    def is_ours(self) -> bool:
        """Return whether the request names this machine as its host.

        A page of another site could request files under a name that leads to 127.0.0.1 (DNS rebinding).
        """
        return self.headers.get("Host", "").rpartition(":")[0] in (ADDRESS, "localhost")

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")  # Last-Modified has whole seconds, and the page can change faster
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *words):
        """Print nothing, because the terminal is used by the run."""


@distributed.by_process_0
def serve(run, training) -> Server:
    """Start a server for the folder of a run on a free port, in a daemon thread. Print its address, and return it."""
    with suppress(Exception):  # the page is written again at the first pause, with a warning if that fails
        report.save(run, training)
    handler = functools.partial(Handler, directory=str(run.folder.resolve()))
    server = Server((ADDRESS, 0), handler)
    threading.Thread(target=server.serve_forever, name="watch", daemon=True).start()
    say(f"watch    {server.address}")
    return server
