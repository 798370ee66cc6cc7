"""Stop the training after a signal, such as Ctrl-C."""

import signal
import threading
from collections.abc import Callable

from ..backend import distributed

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, a closed terminal (not on Windows)


def can_be_caught() -> bool:
    """Return whether this thread can set handlers of signals. Only the main thread of a program can."""
    return threading.current_thread() is threading.main_thread()


def stop_on_signals() -> Callable[[], int]:
    """Return a function stop(). stop() is 0 until the program receives a signal, and then the number of the signal.

    So the program can finish its step and save. A second signal ends the program at once. In a thread other than the
    main thread, stop() remains 0. If several processes train
    together, all must call stop() at the same steps. Then a signal to one process stops all processes.
    """
    received: list[int] = []
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]

    def receive(number, frame):
        received.append(number)
        for each in numbers:
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)

    for number in numbers if can_be_caught() else ():
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP, and this must remain so
            signal.signal(number, receive)
    return lambda: distributed.largest(received[0] if received else 0)
