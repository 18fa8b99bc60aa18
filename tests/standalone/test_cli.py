"""The one command: what it is called with, what it says, and with which status it ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from ingest_core.errors import RegistryInUse, UnknownCamera
from ingest_core.settings import settings_of
from ingest_standalone.cli import _only, main
from ingest_standalone.settings import StandaloneSettings

COMMANDS = (
    "standalone",
    "demo",
    "simulator",
    "probe",
    "operator",
    "worker",
    "gateway",
    "rbac",
    "crds",
)
COMMAND_LINE = (
    sys.executable,
    "-c",
    "import sys; from ingest_standalone.cli import main; sys.exit(main())",
)

BEGINS_ANEW = """
import asyncio, atexit, os, signal, sys
from ingest_core import signals
from ingest_standalone import cli
if "AGAIN" in os.environ:
    print("asked to end" if signals.held() else "goes on")
    os.kill(os.getpid(), signal.SIGTERM)
    print("and hears nothing")
else:
    os.environ["AGAIN"] = "yes"
    atexit.register(print, "swept")
    asyncio.run(signals.hold())
    if sys.argv[1] == "asked":
        os.kill(os.getpid(), signal.SIGTERM)
    cli._begin_anew()
"""


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
    ("arguments", "said", "command"),
    [
        ((), "the following arguments are required: COMMAND", ""),
        (("record",), "invalid choice: 'record'", ""),
        (("standalone", "--no-such-flag"), "there is no option --no-such-flag", " standalone"),
        (("standalone", "more"), "an argument is one too many", " standalone"),
        (("worker", "--worker"), "--worker: expected one argument", " worker"),
        (("worker",), "--worker: is required", " worker"),
        (("probe",), "the following arguments are required: url", " probe"),
        (("standalone", "--connects", "0"), '--connects: must be >= 1 (found "0")', " standalone"),
    ],
)
def test_called_wrongly_it_says_what_is_wrong_and_whose_help_to_read_and_ends_with_two(
    arguments: tuple[str, ...], said: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits(*arguments) == 2
    wrong, hint = capsys.readouterr().err.splitlines()
    assert wrong.startswith(f"camera-ingest{command}: ")
    assert said in wrong
    assert hint == f"See camera-ingest{command} --help"


@pytest.mark.parametrize("given", ["--redis-ulr=redis://u:hunter2@h", "redis://u:hunter2@h"])
def test_what_is_given_to_no_option_is_not_repeated(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits("standalone", given) == 2
    assert "hunter2" not in capsys.readouterr().err


LABEL = "must be 1 to 63 of the characters a-z 0-9 - and begin and end with a letter or a digit"
POD = "must be 1 to 63 of the characters a-z 0-9 - . and begin and end with a letter or a digit"
POOL = "must be 1 to 52 of the characters a-z 0-9 -, begin with a letter and end with a letter"


@pytest.mark.parametrize("wrong", ["Default", "a_b", "-a", "a-", "a/b", "a" * 64, ""])
@pytest.mark.parametrize(
    ("command", "option", "rule"),
    [
        ("worker --worker w-0", "--namespace", LABEL),
        ("worker", "--worker", POD),
        ("worker --worker w-0", "--pool", POOL),
        ("gateway", "--namespace", LABEL),
        ("operator", "--namespace", LABEL),
        ("rbac", "--namespace", LABEL),
    ],
)
def test_a_name_that_no_object_can_have_is_refused_with_option_rule_and_value(
    command: str, option: str, rule: str, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits(*command.split(), f"{option}={wrong}") == 2
    said = capsys.readouterr().err
    assert f"{option}: {rule}" in said
    assert f'(found "{wrong}")' in said


@pytest.mark.parametrize("command", [("worker", "--worker", "w-0"), ("gateway",), ("operator",)])
def test_a_kubeconfig_that_is_not_there_is_one_line_that_names_it(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing")
    sentence = "gives no access to an API server: there is no such file"
    for arguments, environment, named in (
        (("--kubeconfig", missing), {}, missing),
        ((), {"KUBECONFIG": missing}, f"{missing} of $KUBECONFIG"),
        ((), {"KUBECONFIG": "", "HOME": str(tmp_path)}, "~/.kube/config"),
    ):
        ended = run(*command, *arguments, environment=environment)
        (line,) = ended.stderr.splitlines()
        assert line.startswith(f"camera-ingest: the kubeconfig {named} {sentence}")
        assert (ended.returncode, ended.stdout) == (1, "")


def test_a_password_in_an_argument_is_refused_and_not_repeated() -> None:
    ended = run("probe", "rtsp://admin:hunter2@192.0.2.1/")
    assert ended.returncode == 1
    assert ended.stderr.startswith("camera-ingest: the URL holds a password")
    assert "hunter2" not in ended.stdout + ended.stderr


def run(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command without a terminal."""
    return subprocess.run(
        [*COMMAND_LINE, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
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


@pytest.mark.parametrize(
    ("asked", "then", "status"),
    [
        ("asked", ["swept", "asked to end", "and hears nothing"], 0),
        ("not asked", ["swept", "goes on"], -signal.SIGTERM),
    ],
)
def test_what_begins_anew_has_swept_and_knows_whether_it_was_asked_to_end(
    asked: str, then: list[str], status: int
) -> None:
    command = [sys.executable, "-u", "-c", BEGINS_ANEW, asked]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    said = [line for line in ended.stdout.splitlines() if "begins_anew" not in line]
    assert (said, ended.returncode) == (then, status), ended.stderr


@pytest.mark.parametrize("command", ["standalone", "demo"])
def test_an_address_that_is_none_is_one_line_before_anything_is_opened(command: str) -> None:
    ended = run(command, "--listen", "8000")
    line, _ = ended.stderr.splitlines()
    assert "--listen: '8000' has no port: write HOST:PORT" in line
    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_variable_that_is_no_redis_url_is_named_and_not_quoted() -> None:
    ended = run("standalone", environment={"CAMERA_INGEST_REDIS_URL": "http://u:hunter2@h/0"})
    assert ended.returncode == 2
    assert "CAMERA_INGEST_REDIS_URL: Redis URL: begins with" in ended.stderr
    assert "hunter2" not in ended.stderr


def test_a_redis_login_in_an_argument_is_warned_of_and_not_repeated(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.touch()
    ended = run("standalone", "--cameras", str(taken), "--redis-url", "redis://u:hunter2@h")
    assert "redis_login_in_arguments" in ended.stderr
    assert f"{taken}: is not a directory" in ended.stderr
    assert "hunter2" not in ended.stderr


def test_without_a_terminal_a_probe_says_where_the_password_comes_from() -> None:
    ended = run("probe", "rtsp://admin@192.0.2.1/")
    (line,) = ended.stderr.splitlines()
    assert line.endswith("no terminal to ask on: set $CAMERA_INGEST_PASSWORD")
    assert (ended.returncode, ended.stdout) == (2, "")


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "soon"])
@pytest.mark.parametrize("flag", ["--seconds", "--timeout"])
def test_a_duration_that_is_none_is_refused(
    flag: str, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exits("probe", f"{flag}={given}", "rtsp://192.0.2.1/") == 2
    assert f"{flag}: must be a number of seconds above 0" in capsys.readouterr().err


def test_a_demo_that_may_not_have_its_address_says_so_before_it_draws() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("demo", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    (line,) = ended.stderr.splitlines()
    assert "address already in use" in line
    assert (ended.returncode, ended.stdout) == (1, "")


def test_a_demo_whose_reader_goes_away_ends_quietly() -> None:
    with subprocess.Popen(
        [*COMMAND_LINE, "demo", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        demo.stdout.readline()
        demo.stdout.close()
        said = demo.stderr.read()
        demo.wait(timeout=30)
    assert said == ""


def test_settings_do_not_print_the_redis_password() -> None:
    assert "hunter2" not in repr(StandaloneSettings(redis_url="redis://u:hunter2@h"))
