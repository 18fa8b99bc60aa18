"""What ends a program from outside."""

import asyncio
import signal


class Stop:
    """What SIGINT, SIGTERM and SIGHUP ask for; a SIGHUP that is ignored (nohup) stays ignored.

    Attributes:
        asked: To end, in good order.
        insisted: A second time: to end now.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
                loop.add_signal_handler(number, self._ask)

    def _ask(self) -> None:
        if self.asked.is_set():
            self.insisted.set()
        self.asked.set()


def stop_of_signals() -> asyncio.Event:
    """What is set when a signal asks the program to end."""
    return Stop().asked
