"""What ends a program from outside."""

import asyncio
import signal


def stop_of_signals() -> asyncio.Event:
    """What SIGINT, SIGTERM and SIGHUP set; a SIGHUP that is ignored (nohup) stays ignored."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:
            loop.add_signal_handler(number, stop.set)
    return stop
