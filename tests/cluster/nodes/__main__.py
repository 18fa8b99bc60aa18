"""A person's cluster: three nodes, the chart, and simulated cameras (`make cluster`).

python -m tests.cluster.nodes up      # returns when frames come, and says how to use it
python -m tests.cluster.nodes down    # leaves nothing
python -m tests.cluster.nodes serve   # what `up` leaves in the background; Ctrl-C ends it
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.cluster.api_server import ADMIN_TOKEN, write_kubeconfig
from tests.cluster.binaries import HELM, KUBECTL
from tests.cluster.command_line import CommandLine
from tests.cluster.guide import ROOT
from tests.cluster.nodes import cluster, commands
from tests.cluster.nodes.cluster import Cluster
from tests.cluster.nodes.installation import Installation
from tests.cluster.nodes.state import State
from tests.image import builder

STATE: Final = State(Path("/run/camera-ingest-cluster"))
NAMESPACE: Final = "cameras"
UP_SECONDS: Final = 1800  # with everything to be built
END_SECONDS: Final = 60

SCRIPT: Final = """\
#!/bin/sh
# Run a command, or a shell, in the network of the cluster, which is its own.
[ $# -gt 0 ] || set -- "${{SHELL:-/bin/sh}}"
exec nsenter --target={pid} --net -- env KUBECONFIG={kubeconfig} PATH="{programs}:$PATH" "$@"
"""

TOLD: Final = """\
The cluster runs: three nodes, Camera Ingest and simulated cameras in the namespace {namespace}.
Its network is its own; this opens a shell there, with kubectl and helm:

    {enter}

and there:

    kubectl get nodes
    kubectl get cameras
    kubectl port-forward service/cameras-camera-ingest-gateway 8000:80 >/dev/null &
    curl -s localhost:8000/api/cameras
    curl -f -o lobby.jpg localhost:8000/api/cameras/lobby/frame/latest

One command alone: {enter} kubectl get pods -o wide
`make cluster-down` ends it and leaves nothing.
"""


def up() -> int:
    """Start a holder that outlives this command; wait until it says that it is ready."""
    if (holder := STATE.holder()) is not None:
        os.close(holder)
        if not STATE.enter.exists():
            print("It is being started already.", file=sys.stderr)  # noqa: T201 - a program's own
            return 1
        print("It runs already.")  # noqa: T201
        return _tell()
    if reason := cluster.obstacle():
        print(f"There can be no cluster of nodes here: {reason}", file=sys.stderr)  # noqa: T201
        return 1
    for line in (*commands.reasons_to_build(), builder.reason_to_build()):
        if line is not None:
            print(line, flush=True)  # noqa: T201
    print("Starting three nodes ...", flush=True)  # noqa: T201
    STATE.renew()
    with STATE.log.open("wb") as log:
        command = [sys.executable, "-m", "tests.cluster.nodes", "serve"]
        serve = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    STATE.hold(serve.pid)
    deadline = time.monotonic() + UP_SECONDS
    while serve.poll() is None and time.monotonic() < deadline:
        if STATE.enter.exists():
            return _tell()
        time.sleep(0.2)
    print(STATE.log.read_text(), file=sys.stderr)  # noqa: T201
    down()
    return 1


def down() -> int:
    """End the holder, and with it everything."""
    holder = STATE.holder()
    if holder is not None:
        signal.pidfd_send_signal(holder, signal.SIGTERM)
        ended, _, _ = select.select([holder], [], [], END_SECONDS)
        if not ended:
            signal.pidfd_send_signal(holder, signal.SIGKILL)  # what it held goes with it
        os.close(holder)
    STATE.remove()
    return 0


def serve() -> int:
    """Hold a cluster until SIGTERM or SIGINT."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with cluster.running() as running, tempfile.TemporaryDirectory() as home:
            _furnish(running, Path(home))
            signal.pause()
    except KeyboardInterrupt:
        return 0
    finally:
        STATE.enter.unlink(missing_ok=True)
    return 0


def _furnish(running: Cluster, home: Path) -> None:
    server = running.control_plane.server
    write_kubeconfig(
        STATE.kubeconfig, server.url, server.ca_file, {"token": ADMIN_TOKEN}, NAMESPACE
    )
    installation = Installation(CommandLine(STATE.kubeconfig, home, NAMESPACE))
    installation.make_namespace()
    installation.install()
    installation.add_cameras()
    script = STATE.enter.with_suffix(".part")
    programs = f"{KUBECTL.parent}:{HELM.built().parent}"
    script.write_text(
        SCRIPT.format(pid=running.pid, kubeconfig=STATE.kubeconfig, programs=programs)
    )
    script.chmod(0o700)
    script.rename(STATE.enter)


def _tell() -> int:
    print(TOLD.format(namespace=NAMESPACE, enter=STATE.enter))  # noqa: T201
    return 0


if __name__ == "__main__":
    actions = {"up": up, "down": down, "serve": serve}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit(f"usage: python -m tests.cluster.nodes {'|'.join(actions)}")
    sys.exit(actions[sys.argv[1]]())
