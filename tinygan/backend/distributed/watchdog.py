"""Notice at once when a process of this machine dies: the others would wait for it for ever.

A program of its own watches them, because a thread would first have to wait for Python's lock. Linux has a file for
each process (pidfd), which becomes readable when that process ends, however it ends. The launcher ends the other
processes too: mpiexec at once, srun with --kill-on-bad-exit=1. But it does not say what that means for the run. On
other systems the launcher alone ends them.
"""

import os
import select
import signal
import subprocess
import sys


class Watch:
    """Watches the processes {rank: pid} until `stop`. If one dies, prints a sentence and kills the others."""

    def __init__(self, pids):
        words = [f"{rank}:{pid}" for rank, pid in pids.items()]
        command = [sys.executable, "-I", "-S", __file__, *words]  # -I -S: starts quickly
        self.program = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def stop(self):
        self.program.communicate(b"stop")


def main(words):
    pids = {int(rank): int(pid) for rank, pid in (word.split(":") for word in words)}
    files = {os.pidfd_open(pid): rank for rank, pid in pids.items()}
    poll = select.poll()
    for file in (0, *files):
        poll.register(file, select.POLLIN)
    ready = [file for file, _ in poll.poll()]
    if 0 in ready and os.read(0, 4):
        return
    dead = [files[file] for file in ready if file] or [min(pids)]  # only that of stdin: the process that started this
    sentence = f"process {dead[0]} has died, so all end. The last checkpoint is whole: --resume goes on with it\n"
    os.write(2, sentence.encode())
    for pid in pids.values():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    main(sys.argv[1:])
