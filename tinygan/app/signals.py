"""Signals that ask a program to stop."""

import signal
from collections.abc import Callable

from ..backend import distributed

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, a closed terminal (not on Windows)


def stop_on_signals() -> Callable[[], int]:
    """Return a function that gives 0 until the first signal asks the program to stop, and then its number.

    The program finishes its step and saves. A second signal stops it at once. A signal to one of several processes
    stops all: they call the function at the same steps, and get the same number.
    """
    received: list[int] = []
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]

    def receive(number, frame):
        received.append(number)
        for each in numbers:
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)

    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP, and that must hold
            signal.signal(number, receive)
    return lambda: distributed.largest(received[0] if received else 0)
