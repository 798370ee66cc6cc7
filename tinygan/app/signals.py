"""Signals that ask a program to stop."""

import signal

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, a closed terminal (not on Windows)


def stop_on_signals() -> list[int]:
    """Return a list that is empty until the first signal asks the program to stop, and then holds its number.

    The program finishes its step and saves. A second signal stops it at once.
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
    return received
