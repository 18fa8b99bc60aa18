"""The image is small, holds what it needs and nothing else, and says what it is."""

import base64
import ssl
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_standalone.cli import make_parser
from tests.image.builder import ROOT, Image
from tests.image.container import ANYBODY, Way, run

MOST_BYTES = 480_000_000  # it has 443, of which OpenCV, FFmpeg and NumPy are 309
PROGRAMS = {"camera-ingest", "python3.11", "redis-server", "redis-cli"}
AUTHORITIES = Path("/usr/local/share/ca-certificates")  # which only this machine trusts

LOADS = """
import importlib, os, pkgutil, sys
for package in ("core", "operator", "worker", "gateway", "standalone", "simulator"):
    package = importlib.import_module(f"ingest_{package}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
for name, module in sys.modules.items():
    compiled = getattr(module, "__cached__", None)
    if compiled and not os.path.exists(compiled):
        print(name, "is compiled at each start")
print("all loaded")
"""

WRITABLE = """
import os
for folder, _, files in os.walk("/"):
    if folder.startswith(("/proc", "/dev")):
        continue
    for path in (folder, *(os.path.join(folder, file) for file in files)):
        if not os.path.islink(path) and os.access(path, os.W_OK):
            print(path)
"""


def commands() -> list[str]:
    (choices,) = (a.choices for a in make_parser()._actions if isinstance(a.choices, dict))
    return sorted(choices)


def files(image: Image) -> Iterator[Path]:
    return (path for path in image.root.rglob("*") if path.is_file() and not path.is_symlink())


def test_it_says_what_it_is_and_of_which_version(image: Image) -> None:
    labels = image.config["Labels"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    titles = {"title": "Camera Ingest", "description": project["description"]}
    told = {**titles, "licenses": project["license"], "version": project["version"]}
    assert {f"org.opencontainers.image.{key}": value for key, value in told.items()}.items() <= (
        labels.items()
    )


def test_it_starts_our_command_without_a_shell_as_nobody_whom_a_node_knows(image: Image) -> None:
    assert image.config["Entrypoint"] == ["camera-ingest"]
    assert image.config["User"] == "65532:65532"  # numbers: `runAsNonRoot` cannot look up a name


def test_the_programs_in_it_are_python_redis_and_ours(image: Image) -> None:
    found = {
        path.name
        for path in files(image)
        if path.stat().st_mode & 0o111
        and path.suffix != ".py"  # executable by tradition; what they name to run them is not here
        and ".so" not in path.name
    }
    assert found == PROGRAMS
    packages = [path.name for path in image.root.glob("app/lib/python*/site-packages/*")]
    assert [one for one in packages if one.startswith(("pip", "setuptools", "wheel"))] == []


def test_it_is_small(image: Image) -> None:
    assert sum(path.stat().st_size for path in files(image)) < MOST_BYTES


def test_it_trusts_whom_its_base_trusts_and_not_whom_its_builder_does(image: Image) -> None:
    bundle = (image.root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert bundle.count("BEGIN CERTIFICATE") > 100
    bare = bundle.replace("\n", "")
    for authority in AUTHORITIES.rglob("*.crt"):
        own = ssl.PEM_cert_to_DER_cert(authority.read_text())
        assert base64.b64encode(own).decode() not in bare
    assert not (image.root / "etc/pip.conf").exists()


def test_scanners_are_told_of_the_packages_of_debian_in_it(image: Image) -> None:
    told = {path.name for path in (image.root / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "libssl3", "libstdc++6"} <= told


def test_every_module_of_ours_loads_there_and_was_compiled_before(image: Image) -> None:
    done = run(image, "python3", "-c", LOADS)
    assert (done.stdout, done.stderr) == ("all loaded\n", "")


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_it_for_any_user_with_nothing_to_write_to(
    image: Image, command: str
) -> None:
    done = run(image, command, "--help", way=Way(user=ANYBODY))
    assert done.returncode == 0, done.stderr
    assert f"usage: camera-ingest {command}" in done.stdout


@pytest.mark.parametrize(
    ("user", "writable"),
    [
        ((65532, 65532), {"/tmp", "/cameras"}),
        (ANYBODY, {"/tmp", "/cameras"}),
        ((1000, 1000), {"/tmp"}),
    ],
)
def test_even_where_its_root_is_writable_its_user_can_change_no_program(
    image: Image, user: tuple[int, int], writable: set[str]
) -> None:
    done = run(image, "python3", "-c", WRITABLE, way=Way(user=user, read_only=False))
    assert set(done.stdout.splitlines()) == writable, done.stderr
