"""Make a process fit to capture many cameras: what is set once, for all of its threads.

Each line was measured with 100 cameras of 640x360@5 on one core, or eight of 1080p15; the figures
are in docs/design/capture.md.
"""

import contextlib
import ctypes
import os
import sys
from typing import Final

import cv2

_SWITCH_SECONDS: Final = 0.02
_M_MMAP_THRESHOLD: Final = -3  # of glibc's mallopt(3)
_MMAP_BYTES: Final = 264 * 1024  # more than asyncio asks for to receive


def prepare() -> None:
    """Set up the process; before its first thread."""
    cv2.setNumThreads(1)  # there is a thread a camera already
    # A session holds the GIL for microseconds at a time: to be asked for it often only costs.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Pictures in mappings of their own go back to the system; glibc would else learn to keep them.
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)


def batch_this_thread() -> None:
    """Let the thread run on when another wakes up (SCHED_BATCH): fewer switches, a warmer cache."""
    with contextlib.suppress(OSError, AttributeError):  # not allowed, or not Linux
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
