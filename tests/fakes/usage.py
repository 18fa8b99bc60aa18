"""What this process holds, less what the allocator only keeps in reserve."""

import ctypes
import gc
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """Threads, descriptors, and resident bytes."""

    threads: int
    descriptors: int
    memory: int


def usage() -> Usage:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    process = psutil.Process()
    return Usage(process.num_threads(), process.num_fds(), process.memory_info().rss)
