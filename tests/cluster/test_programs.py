"""Nothing that the tests began outlives them, and a program does what is done to it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cluster.programs import PORTS, Household, Program, free_port

HOLDER = """
import sys, time
from tests.cluster.programs import Household, Program
house = Household()
sleeper = Program(house, "sleeper", ("sleep", "1000"))
sleeper.start()
sleeper.pause()
print(sleeper.pid, house.directory, flush=True)
time.sleep(1000)
"""


def test_a_program_and_its_directory_go_when_their_holder_is_killed() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    pid, directory = holder.stdout.readline().split()
    sleeper = psutil.Process(int(pid))
    assert Path(directory).is_dir()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    deadline = time.monotonic() + 20
    while Path(directory).exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # an orphan has nobody to tell of its end
    assert not Path(directory).exists()
    assert not sleeper.is_running() or sleeper.status() == psutil.STATUS_ZOMBIE


def test_a_household_that_closes_ends_its_programs() -> None:
    with Household() as house:
        sleeper = Program(house, "sleeper", ("sleep", "1000"))
        sleeper.start()
    assert not house.directory.exists()
    assert not sleeper.alive


def test_a_killed_program_can_be_started_again_and_its_words_are_kept() -> None:
    with Household() as house:
        talker = Program(house, "talker", ("sh", "-c", "echo said $$; exec sleep 1000"))
        for _ in range(2):
            before = talker.said.count("said")
            talker.start()
            while talker.said.count("said") == before:
                assert talker.alive
            talker.kill()
            assert not talker.alive
        assert talker.said.count("said") == 2


class Told(Household):
    """It remembers what it was told."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, str]] = []
        super().__init__()

    def order(self, order: str, what: str) -> None:
        self.orders.append((order, what))
        super().order(order, what)


@pytest.mark.parametrize(
    "notice",
    [
        pytest.param(lambda program: program.alive, id="it is asked whether it lives"),
        pytest.param(lambda program: program.ended(10), id="its end is waited for"),
        pytest.param(lambda program: program.pause(), id="something is done to it"),
        pytest.param(lambda program: program.pid, id="nobody looks"),
    ],
)
def test_a_program_that_ended_by_itself_is_spared_once(notice: Callable[[Program], object]) -> None:
    with Told() as house:
        brief = Program(house, "brief", ("true",))
        brief.start()
        pid = brief.pid
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # ended, and not reaped
        notice(brief)
        assert not brief.alive
        brief.kill()
    assert [order for order in house.orders if order[1] == str(pid)] == [
        ("kill", str(pid)),
        ("spare", str(pid)),
    ]


def test_a_program_that_is_killed_is_spared_each_time_it_was_started() -> None:
    with Told() as house:
        sleeper = Program(house, "sleeper", ("sleep", "1000"))
        sleeper.start()
        sleeper.kill()
        sleeper.start()
    assert [order for order, _ in house.orders if order != "remove"] == ["kill", "spare"] * 2


def test_a_free_port_is_none_that_the_kernel_gives_to_clients() -> None:
    low, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert PORTS.stop <= int(low)
    assert free_port() in PORTS
