"""A machine that cannot be switched on does no harm to who tried."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.guide import ROOT
from tests.cluster.nodes import machine

# In a process group of its own, in case that is who gets killed.
TRIES = """
import sys
from pathlib import Path
from tests.cluster.nodes.machine import Machine
from tests.cluster.programs import Household
with Household() as house:
    machine = Machine(house, house.directory.name, house.directory / "machine")
    try:
        machine.start()
    except (RuntimeError, AssertionError) as error:
        print(error, machine.on)
    finally:
        machine.remove()
print("unharmed")
"""
BROKEN = "#!/bin/sh\nexit 3\n"


@pytest.mark.parametrize("program", ["unshare", "mount"])
def test_a_machine_that_does_not_start_is_off_and_is_removed_like_any_other(
    tmp_path: Path, program: str
) -> None:
    if reason := machine.obstacle():
        pytest.skip(reason)
    broken = tmp_path / program
    broken.write_text(BROKEN)
    broken.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", TRIES],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert re.fullmatch(rf".*{program}.* False\nunharmed\n", done.stdout), done.stderr
