"""Which tests `make test SUITE=unit` takes."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tools.unit_tests import ROOT, unit_tests

TESTS = ROOT / "tests"


@pytest.mark.parametrize(
    "name",
    [
        "standalone/test_program.py",  # by a module of tests/fakes that starts it
        "operator/test_kube_leading.py",  # by a fixture
        "worker/test_rtsp.py",  # waits for real cameras
        "chart/test_rendering.py",
        "e2e/test_doors.py",
    ],
)
def test_what_starts_a_program_is_none(name: str) -> None:
    assert unit_tests(iter([TESTS / name])) == []


@pytest.mark.parametrize("name", ["worker/test_motion.py", "operator/test_placement.py"])
def test_what_needs_python_alone_is_one(name: str) -> None:
    assert unit_tests(iter([TESTS / name])) == [TESTS / name]


@pytest.mark.parametrize(
    "asking",
    [
        "def test_it(api_server: ApiServer) -> None: ...",
        "def admin(_api_server: ApiServer) -> Client: ...",
        "async def test_it(\n    here: Here, site: Site\n) -> None: ...",
        'server = request.getfixturevalue("redis_server")',
        '@pytest.mark.usefixtures("camera", "site")',
    ],
)
def test_who_asks_for_a_fixture_that_starts_a_program_is_none(tmp_path: Path, asking: str) -> None:
    assert units(tmp_path, {"test_it": asking}) == []


@pytest.mark.parametrize("word", ['labels = {"site": "north"}', "# on this site", "website: str"])
def test_a_fixtures_name_in_another_sense_is_let_be(tmp_path: Path, word: str) -> None:
    assert units(tmp_path, {"test_it": word}) == ["test_it"]


@pytest.mark.parametrize(
    "line",
    [
        "from tests.deep.real import Real",
        "from tests.deep import real",
        "from tests.deep import (\n    other,\n    real,\n)",
        "import tests.deep.real",
        "import tests.deep.real as named",
        "def late() -> None:\n    import tests.deep.real",
    ],
)
def test_what_a_file_imports_in_any_way_is_looked_into(tmp_path: Path, line: str) -> None:
    files = {"test_it": "from tests import between", "between": line}
    assert units(tmp_path, files | {"deep/real": ""}) == ["test_it"]
    assert units(tmp_path, files | {"deep/real": "import subprocess"}) == []


def test_imports_in_a_circle_come_to_an_end_and_hide_nothing(tmp_path: Path) -> None:
    files = {
        "test_it": "from tests import one",
        "one": "from tests.two import Two",
        "two": "from tests.one import One\nfrom tests import last",
    }
    assert units(tmp_path, files | {"last": ""}) == ["test_it"]
    assert units(tmp_path, files | {"last": "import subprocess"}) == []


def units(root: Path, files: Mapping[str, str]) -> list[str]:
    """Which of the tests among these files of a folder `tests` of its own are of the inner loop."""
    folder = Path(mkdtemp(dir=root))  # what was read once is not read again
    for name, text in files.items():
        file = folder / "tests" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    tests = (folder / "tests").glob("test_*.py")
    return [file.stem for file in unit_tests(tests, folder)]
