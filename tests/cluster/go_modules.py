"""The files of Go modules: manifests of other projects, as they ship them."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.cluster.go_commands import Unavailable


def downloaded(module: str) -> Path:
    """The files of a module, `PATH@VERSION`.

    Raises:
        Unavailable: Go, or the module, is not to be had here.
    """
    go = shutil.which("go")
    if go is None:
        raise Unavailable(f"there is no Go to download {module} with")
    command = [go, "mod", "download", "-json", module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{module} cannot be downloaded: {done.stdout[-300:]}")
    return Path(json.loads(done.stdout)["Dir"])
