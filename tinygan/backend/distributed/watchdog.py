"""Notice at once when a process of this machine dies: the others would wait for it for ever.

Linux has a file for each process (pidfd), which becomes readable when that process ends, however it ends. A launcher
ends the other processes too: mpiexec at once, srun with --kill-on-bad-exit=1. But it does not say what that means for
the run. On other systems the launcher alone ends them.
"""

import os
import select
import threading


class Watch:
    """Watches the processes of this machine, {rank: pid}. If one ends before `stop`, prints it and calls `abort`."""

    def __init__(self, pids, rank, abort):
        self.rank, self.abort, self.stopped = rank, abort, False
        if len(pids) > 1 and hasattr(os, "pidfd_open"):
            self.files = {os.pidfd_open(pid): other for other, pid in pids.items() if other != rank}
            threading.Thread(target=self.run, name="watchdog", daemon=True).start()

    def stop(self):
        self.stopped = True

    def run(self):
        poll = select.poll()
        for file in self.files:
            poll.register(file, select.POLLIN)
        ended = [self.files[file] for file, _ in poll.poll()]
        if self.stopped:
            return
        alive = {self.rank, *self.files.values()} - set(ended)
        if self.rank == min(alive):
            sentence = f"process {ended[0]} has died, so all end. The last checkpoint is whole: --resume goes on with it"
            os.write(2, f"{sentence}\n".encode())
        self.abort()
