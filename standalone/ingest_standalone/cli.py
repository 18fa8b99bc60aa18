"""The one command, `camera-ingest`: arguments in, exit status out.

0: done, 1: it could not be done, 2: it was called wrongly. Programs are imported when they are
called for, so that `--help` is quick.
"""

import sys

try:  # a Ctrl-C comes at any moment, and importing takes the first of them
    import argparse
    import asyncio
    import atexit
    import importlib
    import os
    from collections.abc import Callable, Mapping, Sequence
    from functools import partial
    from importlib import metadata
    from pathlib import Path
    from typing import Any, Final, Never

    import structlog

    from ingest_core import logs, manifest, settings, signals
    from ingest_core.errors import IngestError, InvalidManifest
    from ingest_core.http import Listen, parse_listen
    from ingest_core.settings import LogSettings
    from ingest_gateway import settings as gateway_settings
    from ingest_gateway.settings import GatewaySettings
    from ingest_operator import settings as operator_settings
    from ingest_operator.settings import OperatorSettings
    from ingest_standalone.settings import CHECKS, StandaloneSettings, shows_password
    from ingest_worker import settings as worker_settings
    from ingest_worker.settings import ClusterWorkerSettings
except KeyboardInterrupt:
    sys.exit(130)

INTERRUPTED: Final = 130  # as a shell says it of SIGINT

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Parser(argparse.ArgumentParser):
    """Says of a wrong call what is wrong, and where the help is: the usage is a screen long."""

    def error(self, message: str) -> Never:
        self.exit(2, f"{self.prog}: {message}\nSee {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    given, unknown = make_parser().parse_known_args(arguments)
    parser: Parser = given.parser
    if unknown:
        parser.error(_unknown(unknown))
    try:
        status = int(given.run(given))
        sys.stdout.flush()  # here, where a reader that went away is caught
    except InvalidManifest as error:
        parser.error(str(error))
    except (IngestError, OSError, ValueError) as error:
        return _failed(error)
    except ExceptionGroup as group:
        one = _only(group)
        if isinstance(one, IngestError | OSError):
            return _failed(one)
        raise  # a bug: its traceback is wanted
    else:
        return status


def _unknown(arguments: Sequence[str]) -> str:
    """Of what is no option of a command, no value: it may be a password."""
    flags = [one.partition("=")[0] for one in arguments if one.startswith("-")]
    return f"there is no option {', '.join(flags)}" if flags else "an argument is one too many"


def _failed(error: Exception) -> int:
    if isinstance(error, BrokenPipeError):  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 1
    print(f"camera-ingest: {error}", file=sys.stderr)  # noqa: T201 - it is for the person
    return 1


def _only(error: Exception) -> Exception | None:
    """What a group holds when it is one error, as a TaskGroup wraps even its own block's."""
    while isinstance(error, ExceptionGroup):
        if len(error.exceptions) > 1:
            return None
        error = error.exceptions[0]
    return error


def make_parser() -> argparse.ArgumentParser:
    """The command's arguments, from which docs/reference/settings.md is made, too."""
    parser = Parser(
        prog="camera-ingest", description="IP cameras in; fresh frames, events and metrics out."
    )
    parser.add_argument("--version", action="version", version=metadata.version("camera-ingest"))
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    standalone = commands.add_parser(
        "standalone",
        help="the whole system on one machine",
        description="Capture the cameras of a directory and serve them: worker, gateway and Redis "
        "in one process. Every option is a variable of the environment, too.",
    )
    settings.add_arguments(standalone, StandaloneSettings)
    standalone.set_defaults(run=_standalone)

    _add_cluster(commands)

    demo = commands.add_parser(
        "demo",
        help="the same with simulated cameras, and a live table",
        description="See it work: simulated cameras, the standalone program, and a live table.",
    )
    demo.add_argument(
        "--listen",
        type=_listen,
        metavar="HOST:PORT",
        help="where the HTTP API is served (default 127.0.0.1:8000, or a free port if it is taken)",
    )
    demo.add_argument("--seconds", type=settings.seconds, help="end by itself after so long")
    demo.set_defaults(run=_demo)

    simulator = commands.add_parser(
        "simulator",
        help="RTSP cameras made of synthetic scenes, with faults on demand",
        description="Serve simulated RTSP cameras, with faults on demand.",
    )
    from ingest_simulator import main as simulated  # noqa: PLC0415 - see the module's docstring

    simulated.add_arguments(simulator)
    simulator.set_defaults(run=simulated.run)

    probe = commands.add_parser(
        "probe",
        help="connect to a camera as a worker would, and say what is there or what is wrong",
        description="Connect to a camera as a worker would. The password is prompted for, or comes "
        "from $CAMERA_INGEST_PASSWORD.",
    )
    from ingest_standalone import probing  # noqa: PLC0415 - see the module's docstring

    probing.add_arguments(probe)
    probe.set_defaults(run=_probe)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _add_cluster(commands: Any) -> None:
    """The programs of a cluster, each with the settings of its own package."""
    every = (
        (
            "operator",
            "on Kubernetes: place Cameras on workers, and run the workers of each CameraPool",
            "Watch Cameras, CameraPools and workers of one namespace; decide who captures what.",
            OperatorSettings,
            operator_settings.CHECKS,
        ),
        (
            "worker",
            "on Kubernetes: capture the cameras that are assigned to this pod",
            "Capture the Cameras that are assigned to this worker, and serve their frames.",
            ClusterWorkerSettings,
            worker_settings.CHECKS,
        ),
        (
            "gateway",
            "on Kubernetes: one HTTP front door for the cameras of every worker",
            "Register cameras, and serve the frames of any of them from whichever worker has it.",
            GatewaySettings,
            gateway_settings.CHECKS,
        ),
    )
    for name, summary, description, type_, checks in every:
        parser = commands.add_parser(
            name,
            help=summary,
            description=f"{description} Every option is a variable of the environment, too.",
        )
        settings.add_arguments(parser, type_)
        parser.set_defaults(run=partial(_cluster, name, type_, checks))
    rbac = commands.add_parser(
        "rbac",
        help="print the service accounts and Roles that operator and gateway need",
        description="Print ServiceAccounts, Roles and RoleBindings, for kubectl apply -f -.",
    )
    rbac.add_argument(
        "--namespace",
        required=True,
        type=_namespace,
        help="where everything of this installation is",
    )
    rbac.set_defaults(run=_rbac)
    crds = commands.add_parser(
        "crds",
        help="bring the CustomResourceDefinitions of a directory up to date",
        description="Apply the CustomResourceDefinitions of a directory, except those that are "
        "there from a newer release. Needs rights in the whole cluster. The Helm chart runs it.",
    )
    crds.add_argument("directory", type=Path, help="whose *.yaml are applied")
    crds.set_defaults(run=_crds)


def _namespace(text: str) -> str:
    try:
        return manifest.parse(text, settings.NamespaceName)
    except InvalidManifest as error:
        (problem,) = error.problems
        raise argparse.ArgumentTypeError(f"{problem.rule} (found {problem.value})") from None


def _rbac(given: argparse.Namespace) -> int:
    from ingest_standalone import rbac  # noqa: PLC0415 - see the module's docstring

    print(rbac.manifests(given.namespace), end="")  # noqa: T201 - it is what was asked for
    return 0


def _crds(given: argparse.Namespace) -> int:
    from ingest_standalone import crds  # noqa: PLC0415 - see the module's docstring

    for name, became in asyncio.run(crds.apply(given.directory)).items():
        print(f"{name} {became}")  # noqa: T201 - it is what was asked for
    return 0


def _cluster(
    name: str,
    type_: type[LogSettings],
    checks: Mapping[str, Callable[[str], object]],
    given: argparse.Namespace,
) -> int:
    configured = settings.load(type_, vars(given), os.environ, checks)
    logs.configure(configured.log_level, configured.log_format)
    program = importlib.import_module(f"ingest_{name}.main")
    if signals.held():
        return 0
    if asyncio.run(program.run(configured)):
        _begin_anew()
    return 0


def _begin_anew() -> Never:
    """End this program, and with it all that it knew, and begin it again in the same process.

    A leader that lost its Lease is to be the standby. If its container ended, kubelet would wait
    before it starts it again, each time twice as long, up to five minutes; and whoever leads may
    end meanwhile.

    Raises:
        OSError: The kernel does not let it.
    """
    log.warning("operator_begins_anew")
    # `exec` runs none of them; one removes files with keys.
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very command


def _listen(text: str) -> Listen:
    try:
        return parse_listen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _standalone(given: argparse.Namespace) -> int:
    configured = settings.load(StandaloneSettings, vars(given), os.environ, CHECKS)
    logs.configure(configured.log_level, configured.log_format)
    if given.redis_url and shows_password(given.redis_url):
        log.warning(
            "redis_login_in_arguments",
            advice="everybody on this machine sees arguments: set CAMERA_INGEST_REDIS_URL",
        )
    from ingest_standalone import program  # noqa: PLC0415 - see the module's docstring

    asyncio.run(program.run(configured))
    return 0


def _demo(given: argparse.Namespace) -> int:
    from ingest_standalone import demo  # noqa: PLC0415 - see the module's docstring

    return asyncio.run(demo.run(given.listen, given.seconds))


def _probe(given: argparse.Namespace) -> int:
    logs.configure("error", "console")
    from ingest_standalone import probing  # noqa: PLC0415 - see the module's docstring

    return probing.run(given)


if __name__ == "__main__":
    sys.exit(main())
