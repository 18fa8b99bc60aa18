"""The first process of a machine: lives as long as its pipe, and everything in it no longer.

It runs as process 1 of a PID namespace. When the pipe on its standard input closes, which the
kernel sees to even if the holder is killed, it ends, and with it, by the kernel, every process of
the namespace and the mounts and networks that only they held. It must need nothing of the project.
"""

import signal
import sys


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans of the machine are reaped by the kernel
    sys.stdin.read()


if __name__ == "__main__":
    main()
