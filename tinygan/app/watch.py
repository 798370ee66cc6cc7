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

ADDRESS = "127.0.0.1"  # only this machine can reach it
LINGER = 3.0  # seconds after the training; an open page sends a request every 2 seconds (page/watch.js)


class Handler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD with files of one folder. A link to a file outside this folder gives the error 404."""

    def send_head(self):
        if urlsplit(self.path).path == "/":
            self.path = "/report.html"
        path = Path(self.translate_path(self.path)).resolve()
        if not self.is_ours() or not path.is_relative_to(self.directory) or not path.is_file():
            return self.send_error(404)
        return super().send_head()

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
def serve(run, training) -> str:
    """Start a server for the folder of a run on a free port, in a daemon thread, and return its address."""
    with suppress(Exception):  # the page is written again at the first pause, with a warning if that fails
        report.save(run, training)
    handler = functools.partial(Handler, directory=str(run.folder.resolve()))
    server = ThreadingHTTPServer((ADDRESS, 0), handler)
    threading.Thread(target=server.serve_forever, name="watch", daemon=True).start()
    return f"http://{ADDRESS}:{server.server_port}/"


def linger() -> None:
    """Wait for a few seconds, so that an open page can load the end of the run."""
    time.sleep(LINGER)
