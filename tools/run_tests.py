"""Run the tests: install what the suites lack where that is allowed, then say what ran.

As root on Debian, missing programs come from apt; anywhere else the tests that need them are
skipped, and the summary (tests/conftest.py) says which and why.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.unit_tests import unit_tests

ROOT = Path(__file__).resolve().parent.parent
PODS = ROOT / "tests" / "e2e"  # on real pods
UNIT = "unit"  # a name for the tests that need nothing but Python
MOST_PROCESSES = 4  # each of which may start an API server of 300 MB
CLUSTERS = 2  # of real pods, 3 GB each: as many as tests/e2e/conftest.py makes groups


@dataclass(frozen=True, slots=True)
class Need:
    """A program that a suite runs for real: how to see that it is there, and Debian's packages."""

    name: str
    packages: tuple[str, ...]
    probe: tuple[str, ...] = ()

    def missing(self) -> bool:
        if not self.probe:
            return shutil.which(self.name) is None
        try:
            return subprocess.run(self.probe, capture_output=True, check=False).returncode != 0
        except FileNotFoundError:
            return True


BRIDGE = "/usr/lib/cni/bridge"
GSTREAMER = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ("x264enc", "x265enc", "rtph264pay", "videotestsrc")))
"""

NEEDS = (
    Need("redis-server", ("redis-server",)),
    Need("ffmpeg", ("ffmpeg",)),
    Need("promtool", ("prometheus",)),
    Need("openssl", ("openssl",)),
    Need("curl", ("curl",)),
    Need("etcd", ("etcd-server",)),
    Need("buildah", ("buildah",)),
    Need("debootstrap", ("debootstrap",)),
    Need("runc", ("runc",)),
    Need("containerd", ("containerd",)),
    Need("iptables", ("iptables",)),
    Need("nft", ("nftables",)),
    Need("ip", ("iproute2",)),
    Need("ipset", ("ipset",)),
    Need("sysctl", ("procps",)),
    Need("the network plugins", ("containernetworking-plugins",), ("test", "-x", BRIDGE)),
    Need(
        "GStreamer's RTSP server",
        (
            "python3-gi",
            "gir1.2-gst-rtsp-server-1.0",
            "gstreamer1.0-plugins-base",
            "gstreamer1.0-plugins-good",
            "gstreamer1.0-plugins-bad",
            "gstreamer1.0-plugins-ugly",
        ),
        (
            "/usr/bin/python3",
            "-c",
            GSTREAMER,
        ),
    ),
)


def install() -> None:
    """Install by apt what is missing, as root on Debian; else leave it."""
    missing = [need for need in NEEDS if need.missing()]
    if not missing:
        return
    names = ", ".join(need.name for need in missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"Not installed, so some tests will be skipped: {names}")
        return
    print(f"Installing by apt what the tests lack: {names} ...", flush=True)
    packages = sorted({package for need in missing for package in need.packages})
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Packaged servers must not start by themselves: the tests start their own.
    policy = Path("/usr/sbin/policy-rc.d")
    guard = not policy.exists()
    if guard:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for command in (
            ["apt-get", "-qq", "update"],
            ["apt-get", "-qq", "-y", "install", "--no-install-recommends", *packages],
        ):
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        sys.exit(f"apt-get failed with status {error.returncode}: {' '.join(error.cmd)}")
    finally:
        if guard:
            policy.unlink()


def prepare_programs(suites: list[Path]) -> None:
    """Build what tests need before they run, who would wait for it in silence."""
    texts = [file.read_text() for suite in suites for file in test_files(suite)]
    needs = {
        "on a real Kubernetes API server": (("tests.cluster.binaries",), "tests.cluster"),
        "of the Helm chart": (("tests.cluster.binaries", "helm"), "tests.chart"),
        "of the image": (("tests.image.builder",), "tests.image"),
        "on real pods": (("tests.cluster.nodes.commands",), "tests.e2e"),
        "through an Ingress": (("tests.cluster.nodes.ingress",), "ingress.install"),
        "of network policies": (("tests.cluster.nodes.firewall",), "firewall.enforce"),
        "of the alerts": (("tests.cluster.nodes.monitoring",), "monitoring.install"),
    }
    for tests, (build, imported) in needs.items():
        if any(imported in text for text in texts):
            command = [sys.executable, "-m", *build]
            done = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
            if done.returncode != 0:
                print(f"So the tests {tests} cannot run.", flush=True)


def test_files(suite: Path) -> list[Path]:
    return [suite] if suite.is_file() else sorted(suite.rglob("test_*.py"))


def run(suites: list[Path]) -> int:
    """Run suites, those of real pods behind the others; the status."""
    pods = [suite for suite in suites if PODS in (suite, *suite.parents)]
    rest = [suite for suite in suites if suite not in pods]
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    # Each file on one process: what its fixtures start is started once.
    by_file = ("-n", str(processes), "--dist", "loadfile")
    mine = given_cluster(suites)
    side_by_side = processes >= CLUSTERS and not mine
    by_cluster = ("-n", str(CLUSTERS), "--dist", "loadscope") if side_by_side else ()
    environment = {**os.environ, **mine}
    statuses = []
    for options, chosen in ((by_file, rest), (by_cluster, pods)):
        if chosen:
            command = [sys.executable, "-m", "pytest", *options, *map(str, chosen)]
            statuses.append(
                subprocess.run(command, cwd=ROOT, check=False, env=environment).returncode
            )
    return max(map(abs, statuses))  # of what a signal ended, it is below 0


def every_suite() -> list[Path]:
    return [one for one in sorted((ROOT / "tests").iterdir()) if one.is_dir() and test_files(one)]


def given_cluster(suites: list[Path]) -> dict[str, str]:
    """A person's own cluster, if the tests of real pods alone were asked for.

    Who has one in his environment must not find tests in it because he ran `make test`.
    """
    mine = os.environ.get("KUBECONFIG")
    return {"CAMERA_INGEST_KUBECONFIG": mine} if mine and suites == [PODS] else {}


def chosen(names: list[str]) -> list[Path]:
    """The files and folders of these names below tests; all if there are none."""
    if names == [UNIT]:
        return unit_tests(file for suite in every_suite() for file in test_files(suite))
    return [ROOT / "tests" / name for name in names] or every_suite()


def main() -> int:
    suites = chosen(sys.argv[1:])
    if sys.argv[1:] != [UNIT]:
        install()
        prepare_programs(suites)
    return run(suites)


if __name__ == "__main__":
    sys.exit(main())
