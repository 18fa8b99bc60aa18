"""The one command: what it is called with, what it says, and with which status it ends."""

import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from ingest_core.errors import RegistryInUse, UnknownCamera
from ingest_core.settings import settings_of
from ingest_standalone.cli import _only, main
from ingest_standalone.settings import StandaloneSettings

COMMANDS = ("standalone", "demo", "simulator", "probe")


def exits(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits("--help") == 0
    shown = capsys.readouterr().out
    assert all(f"    {command}" in shown for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exits(command, "--help") == 0
    assert f"camera-ingest {command}" in capsys.readouterr().out


def test_the_help_of_standalone_shows_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    exits("standalone", "--help")
    shown = capsys.readouterr().out
    for setting in settings_of(StandaloneSettings):
        assert setting.flag in shown
        assert setting.variable in shown


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits("--version") == 0
    assert capsys.readouterr().out.strip() == metadata.version("camera-ingest")


@pytest.mark.parametrize(
    "arguments", [(), ("record",), ("standalone", "--no-such-flag"), ("probe",)]
)
def test_called_wrongly_it_says_how_and_ends_with_two(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits(*arguments) == 2
    assert "usage: camera-ingest" in capsys.readouterr().err


def test_a_bad_setting_is_named_and_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits("standalone", "--connects", "0") == 2
    assert '--connects: must be >= 1 (found "0")' in capsys.readouterr().err


def test_a_password_in_an_argument_is_refused_and_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(("probe", "rtsp://admin:hunter2@192.0.2.1/")) == 1
    out, err = capsys.readouterr()
    assert err.startswith("camera-ingest: the URL holds a password")
    assert "hunter2" not in out + err


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = "import sys; from ingest_standalone.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_address_that_is_taken_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        cameras = str(tmp_path / "cameras")
        ended = run("standalone", "--listen", address, "--cameras", cameras, "--redis-url", "none")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "address already in use" in ended.stderr.splitlines()[-1]


def test_one_error_is_found_within_its_groups_and_several_are_not() -> None:
    error = RegistryInUse("in use")
    assert _only(ExceptionGroup("a", [ExceptionGroup("b", [error])])) is error
    assert _only(error) is error
    assert _only(ExceptionGroup("a", [error, UnknownCamera("x")])) is None


@pytest.mark.parametrize("command", ["standalone", "demo"])
def test_an_address_that_is_none_is_one_line_before_anything_is_opened(command: str) -> None:
    ended = run(command, "--listen", "8000")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("camera-ingest: '8000' has no port: write HOST:PORT")
    assert (ended.returncode, ended.stdout) == (1, "")


def test_settings_do_not_print_the_redis_password() -> None:
    assert "hunter2" not in repr(StandaloneSettings(redis_url="redis://u:hunter2@h"))
