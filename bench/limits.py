"""Run commands with a time limit each, and keep all that they print."""

import json
import os
import signal
import subprocess
import tempfile
import time
from typing import NamedTuple

LOG = 15 << 20  # bytes of the log, at most
LIMIT = "over its limit"  # the status of a command that was killed


class Done(NamedTuple):
    status: int | str  # the exit status, or LIMIT
    output: str  # standard output and errors
    seconds: float

    def sentence(self):
        """Return the last line of the output, which is usually the error."""
        if self.status == LIMIT:
            return f"{LIMIT} of {self.seconds:.0f} s"
        return next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "no output")[:200]

    def result(self):
        """Return the last JSON object that the command printed. If the command failed then, "failed" says how."""
        failed = {"failed": self.sentence()} if self.status else {}
        return {**self.json(), **failed}

    def json(self):
        """Return the last line of the output that is a JSON object, as a dictionary; {} if there is none."""
        for line in reversed(self.output.splitlines()):
            if line.startswith("{"):
                try:
                    return json.loads(line)
                except ValueError:  # the command was killed while it printed this line
                    continue
        return {}


def call(words, limit, environment=None, log=None):
    """Run a command in a process group of its own. At its limit (seconds) the whole group is killed. Returns a Done.

    log: a file, open for writing bytes, to which the command and its output are added.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as file:  # not a pipe: a process that outlives the group would keep it open
        words = [str(word) for word in words]
        options = dict(stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=environment)
        process = subprocess.Popen(words, start_new_session=True, **options)
        try:
            status = process.wait(max(0, limit))
        except subprocess.TimeoutExpired:
            status = LIMIT
        finally:  # also after Ctrl-C, and for processes that the command has left behind
            kill(process)
        file.seek(0)
        output, seconds = file.read().decode(errors="replace"), time.monotonic() - started
    if log and log.tell() < LOG:
        log.write(f"$ {' '.join(words)}\n{output[-(LOG >> 4) :]}\n[status {status}, {seconds:.1f} s]\n\n".encode())
        log.flush()
    return Done(status, output, seconds)


def kill(process):
    """Kill the process group of a process that was started with start_new_session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
