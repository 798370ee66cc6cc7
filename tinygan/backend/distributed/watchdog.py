"""A watchdog for the processes of a machine: if one process dies, the watchdog ends all others.

Without a watchdog the other processes would wait for ever. The watchdog is a separate program, because a thread might
have to wait for Python's lock. It opens a pidfd of each process: a file that becomes readable when the process ends for
any reason. Only Linux has pidfds, so on other systems there is no watchdog. The launcher can end the processes too
(mpiexec does; srun does with --kill-on-bad-exit=1). But it does not say how to continue the run.
"""

import os
import select
import signal
import subprocess
import sys

SENTENCE = b"one of the processes has died, so all end. The last checkpoint is complete: continue with --resume\n"


class Watchdog:
    """Monitors processes, given by their pids, until `stop`. If one process dies, prints SENTENCE and kills all.

    SENTENCE does not say which process died. The launcher may have killed others too, so the first is not known.
    """

    def __init__(self, pids):
        command = [sys.executable, "-I", "-S", __file__, *map(str, pids)]  # -I -S: a faster start of Python
        self.program = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def stop(self):
        self.program.communicate(b"stop")


def main(pids):
    poll = select.poll()
    for file in (0, *map(os.pidfd_open, pids)):
        poll.register(file, select.POLLIN)
    if 0 in dict(poll.poll()) and os.read(0, 4):  # "stop" was written; if the writer died, there is nothing to read
        return
    os.write(2, SENTENCE)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
