"""A machine that cannot be switched on does no harm to who tried."""

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
    except RuntimeError as error:
        print(error, machine.on)
    finally:
        machine.remove()
print("unharmed")
"""
UNSHARE = "#!/bin/sh\nexit 3\n"


def test_a_machine_that_does_not_start_is_off_and_is_removed_like_any_other(tmp_path: Path) -> None:
    if reason := machine.obstacle():
        pytest.skip(reason)
    unshare = tmp_path / "unshare"
    unshare.write_text(UNSHARE)
    unshare.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", TRIES],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert done.stdout == "unshare failed with status 3 False\nunharmed\n", done.stderr
