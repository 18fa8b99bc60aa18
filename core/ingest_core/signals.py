"""What ends a program from outside."""

import asyncio
import signal
from typing import Final

_TURNS: Final = 3  # of the loop, in which it tells of a signal that came before
ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        for number in _counting():
            loop.add_signal_handler(number, self._ask)

    def _ask(self) -> None:
        if self.asked.is_set():
            self.insisted.set()
        self.asked.set()


def stop_of_signals() -> asyncio.Event:
    """What is set when a signal asks the program to end."""
    return Stop().asked


async def hold() -> None:
    """Keep what asks to end for `held`, also across an `exec`; the first process of a pod, too.

    Of a signal that nobody handles yet, that one hears nothing ever. What came before this is told
    to every `Stop` when it returns. No other thread must run by then, as signals would go there:
    the loop's executor ends.
    """
    await asyncio.get_running_loop().shutdown_default_executor()
    signal.pthread_sigmask(signal.SIG_BLOCK, _counting())
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def held() -> bool:
    """Did something ask to end since `hold`? If not, it comes through again from now on."""
    if not signal.sigpending().isdisjoint(_counting()):
        return True
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    return False


def _counting() -> tuple[signal.Signals, ...]:
    """Those that ask to end, but for a SIGHUP that is ignored."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return ENDING[:2] if ignored else ENDING
