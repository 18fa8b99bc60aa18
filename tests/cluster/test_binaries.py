"""The API server's programs are found, or built once, or it is said why not."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

FAKE_GO = """#!/bin/sh
echo "$@" >> "$BUILDS"
while [ "$1" != -o ]; do shift; done
/bin/sleep 0.1
[ -z "$BREAK" ] || { echo "$BREAK" >&2; exit 1; }
echo built > "$2"
"""


class Machine:
    """An environment with only the programs that it is given."""

    def __init__(self, directory: Path) -> None:
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.cache = directory / "cache"
        self.builds = directory / "builds"
        self.environment = {
            "PATH": str(self.bin),
            "XDG_CACHE_HOME": str(self.cache),
            "BUILDS": str(self.builds),
        }

    def install(self, name: str, script: str = "#!/bin/sh\n") -> Path:
        program = self.bin / name
        program.write_text(script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    def begin(self, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.binaries"],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def find(self, **environment: str) -> tuple[list[str], str]:
        """What it prints, and what it says of it."""
        printed, said = self.begin(**environment).communicate()
        return printed.split(), said

    def cached(self) -> list[str]:
        return sorted(file.name for file in self.cache.rglob("*") if file.is_file())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_given_assets_are_taken_as_they_are(machine: Machine) -> None:
    programs = [str(machine.install(name)) for name in ("etcd", "kube-apiserver")]
    assert machine.find(KUBEBUILDER_ASSETS=str(machine.bin)) == (programs, "")


def test_given_assets_that_lack_a_program_are_an_error_not_a_build(machine: Machine) -> None:
    machine.install("etcd")
    machine.install("go", FAKE_GO)
    printed, said = machine.find(KUBEBUILDER_ASSETS=str(machine.bin))
    assert printed == []
    assert "has no kube-apiserver" in said
    assert not machine.builds.exists()


def test_without_etcd_there_is_no_api_server(machine: Machine) -> None:
    machine.install("go", FAKE_GO)
    printed, said = machine.find()
    assert printed == []
    assert "etcd is not installed" in said


def test_without_go_there_is_no_api_server_unless_it_was_built_before(machine: Machine) -> None:
    etcd = machine.install("etcd")
    printed, said = machine.find()
    assert printed == []
    assert "no Go to build kube-apiserver" in said
    go = machine.install("go", FAKE_GO)
    built, _ = machine.find()
    go.unlink()
    assert machine.find() == (built, "")
    assert built[0] == str(etcd)
    assert built[1].startswith(str(machine.cache / "camera-ingest" / "kubernetes-"))


def test_two_that_need_it_at_once_build_it_once(machine: Machine) -> None:
    machine.install("etcd")
    machine.install("go", FAKE_GO)
    both = [machine.begin(), machine.begin()]
    first, second = (process.communicate() for process in both)
    assert first[0] == second[0] != ""
    (build,) = machine.builds.read_text().splitlines()
    assert "k8s.io/component-base/version.gitVersion=v1.34" in build


def test_a_build_that_fails_leaves_nothing_and_says_why(machine: Machine) -> None:
    machine.install("etcd")
    machine.install("go", FAKE_GO)
    printed, said = machine.find(BREAK="no such module")
    assert printed == []
    assert "no such module" in said
    assert machine.cached() == ["lock"]
    printed, _ = machine.find()
    assert Path(printed[1]).read_text() == "built\n"
    assert machine.cached() == ["kube-apiserver", "lock"]
