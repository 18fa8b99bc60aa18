"""A request to end is told or held, whenever it comes."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, os, signal, sys
from ingest_core import signals
async def run():
    stop = signals.Stop()
    await asyncio.to_thread(int)  # leaves a thread behind
    for when in ("before", "after"):
        if sys.argv[1] == when:
            os.kill(os.getpid(), signal.SIGTERM)
        if when == "before":
            await signals.hold()
    print(stop.asked.is_set(), signals.held())
asyncio.run(run())
"""


@pytest.mark.parametrize(
    ("when", "told"), [("before", "True False"), ("after", "False True"), ("never", "False False")]
)
def test_what_asks_before_a_hold_is_told_and_what_asks_after_it_is_held(
    when: str, told: str
) -> None:
    command = [sys.executable, "-c", PROGRAM, when]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.stdout.strip(), ended.returncode) == (told, 0), ended.stderr
