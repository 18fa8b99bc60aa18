"""What the played kubelet promises to tests that break pods; how it plays, the suites show."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.cluster.api_server import ApiServer
from tests.cluster.client import Refused
from tests.cluster.kubelet import Kubelet, PlayedPod, is_fault
from tests.cluster.programs import Household, Program, free_port

# Nobody listens there: what must not ask fails if it does.
NOBODY = cast(ApiServer, SimpleNamespace(url=f"https://127.0.0.1:{free_port()}", ca_file=Path()))


@pytest.fixture
def kubelet() -> Iterator[Kubelet]:
    """It does not run, and has two pods."""
    with Household() as household:
        made = Kubelet(NOBODY, "shop", household)
        for number in range(2):
            program = Program(household, f"pod-{number}", ("sleep", "1000"))
            program.start()
            name = f"default-{number}"
            made.pods[name] = PlayedPod(name, f"uid-{number}", f"127.1.0.{number}", "", program)
        yield made


def test_a_pod_that_is_ending_or_dead_is_none_to_break(kubelet: Kubelet) -> None:
    with kubelet.still() as running:
        assert running == ["default-0", "default-1"]
    kubelet.pods["default-0"].ending = 1.0
    kubelet.kill("default-1", hold=True)
    with kubelet.still() as running:
        assert running == []


def test_nothing_happens_to_pods_between_choice_and_deed(kubelet: Kubelet) -> None:
    done = threading.Event()

    def end() -> None:
        kubelet.cut_off("default-0")
        done.set()

    other = threading.Thread(target=end)
    with kubelet.still():
        other.start()
        assert not done.wait(0.1)
    other.join(10)
    assert done.is_set()


def test_a_pod_that_went_before_it_was_stranded_leaves_nothing_behind(kubelet: Kubelet) -> None:
    kubelet.strand("default-2")
    kubelet.sink()
    assert "default-2" not in kubelet.disturbed


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, True),
        (403, False),
        (404, False),
        (409, False),
        (422, True),
        (429, False),
        (500, False),
    ],
)
def test_what_no_time_would_mend_is_the_kubelets_fault(status: int, *, fault: bool) -> None:
    assert is_fault(Refused(status, {})) == fault
