"""Serve the folder of a run on this machine, so that a browser can follow the training: `train.py --watch`."""

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

ADDRESS = "127.0.0.1"  # other machines cannot reach it
LINGER = 3.0  # seconds; an open page asks every 2 (page/watch.js)


class Handler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD with the files of one folder, and nothing outside it, not even through a link in it."""

    def send_head(self):
        if urlsplit(self.path).path == "/":
            self.path = "/report.html"
        path = Path(self.translate_path(self.path)).resolve()
        if not self.is_ours() or not path.is_relative_to(self.directory) or not path.is_file():
            return self.send_error(404)
        return super().send_head()

    def is_ours(self) -> bool:
        """Whether the request names this address. A site whose name leads to 127.0.0.1 must not read the run."""
        return self.headers.get("Host", "").rpartition(":")[0] in (ADDRESS, "localhost")

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")  # dates have whole seconds, and two pages may share one
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *words):
        """Print nothing: the terminal belongs to the run."""


@distributed.by_process_0
def serve(run, training) -> str:
    """Serve the folder of a run until the process ends, on a free port, and return the address of its page."""
    with suppress(Exception):  # the page is written again at the first pause, which reports an error
        report.save(run, training)
    handler = functools.partial(Handler, directory=str(run.folder.resolve()))
    server = ThreadingHTTPServer((ADDRESS, 0), handler)
    threading.Thread(target=server.serve_forever, name="watch", daemon=True).start()
    return f"http://{ADDRESS}:{server.server_port}/"


def linger() -> None:
    """Wait, so that an open page gets the end of the run before the process ends."""
    time.sleep(LINGER)
