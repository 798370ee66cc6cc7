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

SENTENCE = b"one of the processes has died, so all end. The last checkpoint is whole: --resume goes on with it\n"


class Watch:
    """Watches processes, by their pids, until `stop`. If one dies, prints a sentence and kills the others.

    The sentence does not say which: the launcher may have killed others by then, and these may have ended first.
    """

    def __init__(self, pids):
        command = [sys.executable, "-I", "-S", __file__, *map(str, pids)]  # -I -S: starts quickly
        self.program = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def stop(self):
        self.program.communicate(b"stop")


def main(pids):
    poll = select.poll()
    for file in (0, *map(os.pidfd_open, pids)):
        poll.register(file, select.POLLIN)
    if 0 in dict(poll.poll()) and os.read(0, 4):  # "stop"; nothing, if the process that started this has died
        return
    os.write(2, SENTENCE)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
