"""A person's cluster is there as long as its holder lives, whatever a dead one left behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.nodes.state import State

WAITS = "print(flush=True); import time; time.sleep(1000)"


@contextmanager
def process(*arguments: str) -> Iterator[int]:
    command = [sys.executable, "-c", WAITS, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()  # from now on it is called what it is
        yield running.pid
        running.kill()


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "state")
    made.renew()
    return made


def test_a_holder_is_known_while_it_lives(state: State) -> None:
    assert state.holder() is None
    with process("tests.cluster.nodes", "serve") as pid:
        state.hold(pid)
        holder = state.holder()
        assert holder is not None
        os.close(holder)
    assert state.holder() is None


def test_a_stranger_with_the_number_of_a_dead_holder_is_none(state: State) -> None:
    with process() as pid:
        state.hold(pid)
        assert state.holder() is None


def test_a_cluster_that_is_started_is_not_ready_because_a_dead_one_was(state: State) -> None:
    with process("tests.cluster.nodes", "serve") as pid:
        state.hold(pid)
    state.enter.touch()
    state.renew()
    assert not state.enter.exists()
    assert [*state.folder.iterdir()] == []
