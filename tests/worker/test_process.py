"""What is set once for a process: told by the process itself."""

import os
import subprocess
import sys
import threading

import pytest

from ingest_worker import process

TELL = """
import sys, cv2
from ingest_worker import process
process.prepare()
print(cv2.getNumThreads(), sys.getswitchinterval())
"""


def test_a_prepared_process_has_one_opencv_thread_and_a_patient_gil() -> None:
    told = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1", "0.02"]


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="not Linux: no SCHED_BATCH")
def test_a_session_thread_is_batched_and_no_other() -> None:
    policies: list[int] = []

    def run() -> None:
        process.batch_this_thread()
        policies.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert policies == [os.SCHED_BATCH]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
