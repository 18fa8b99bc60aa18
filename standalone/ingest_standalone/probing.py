"""`camera-ingest probe`: ask for the password, look, and say in a person's words what was seen."""

import argparse
import asyncio
import getpass
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from ingest_core import names
from ingest_core.credentials import Credentials, split_userinfo
from ingest_core.errors import CaptureError
from ingest_core.manifest import check
from ingest_core.model import CameraSpec, Decode, RtspSource, Source
from ingest_core.settings import seconds

if TYPE_CHECKING:
    from ingest_worker.probe import Findings

PASSWORD_VARIABLE: Final = names.ENV_PREFIX + "PASSWORD"


class NoTerminal(Exception):
    """Nobody can be asked for a password."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("url", help="rtsp[s]://[USER@]HOST[:PORT]/PATH, without a password")
    parser.add_argument("--transport", choices=["tcp", "udp"], default="tcp")
    parser.add_argument("--ca-file", help="PEM file that signs the camera's certificate (rtsps)")
    parser.add_argument("--insecure", action="store_true", help="do not check the certificate")
    parser.add_argument(
        "--timeout", type=seconds, default=10, help="seconds to the first picture; default 10"
    )
    parser.add_argument("--seconds", type=seconds, default=5, help="how long to look; default 5")
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def run(given: argparse.Namespace) -> int:
    """Probe and print; 0: there is a picture, 1: there is none, 2: no password could be had."""
    from ingest_worker import probe, rtsp  # noqa: PLC0415 - FFmpeg takes its time to load
    from ingest_worker.login import system_authorities  # noqa: PLC0415 - the same

    try:
        url, credentials = login(given.url, os.environ, _ask)
    except NoTerminal as error:
        _say(f"camera-ingest: {error}")
        return 2
    problems = check(CameraSpec(source=Source(rtsp=RtspSource(url=url))))
    if problems:
        raise ValueError("; ".join(f"URL: {problem.rule}" for problem in problems))
    target = rtsp.Target(
        url=url,
        transport=given.transport.upper(),
        credentials=credentials,
        ca_file=given.ca_file or system_authorities(),
        verify=not given.insecure,
        connect_seconds=given.timeout,
        decode=Decode.ALL,
    )
    _say(f"Connecting to {url} over {given.transport.upper()} …")
    try:
        found = asyncio.run(probe.probe(target, given.seconds))
    except CaptureError as error:
        _say(f"{error.failure}: {error}")
        _say(probe.ADVICE[error.failure])
        return 1
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n" if given.json else _table(found))
    return 0


def login(
    url: str, environment: Mapping[str, str], ask: Callable[[str], str]
) -> tuple[str, Credentials | None]:
    """Take the user out of a URL, and the password from elsewhere.

    Raises:
        ValueError: It is no URL, or holds a password: everybody sees a program's arguments.
    """
    bare, given = split_userinfo(url)
    if given is None:
        return bare, None
    if given.password:
        raise ValueError(
            f"the URL holds a password, which everybody on this machine can see: leave it out, and "
            f"type it when asked or set ${PASSWORD_VARIABLE}"
        )
    password = environment.get(PASSWORD_VARIABLE)
    return bare, Credentials(
        given.username, ask(f"Password of {given.username}: ") if password is None else password
    )


def _ask(prompt: str) -> str:
    """Ask a person; getpass would read from a pipe, and warn."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except (getpass.GetPassWarning, EOFError):
        raise NoTerminal(f"no terminal to ask on: set ${PASSWORD_VARIABLE}") from None


def _table(found: "Findings") -> str:
    keyframes = (
        "fewer than two came"
        if found.keyframe_seconds is None
        else f"every {found.keyframe_seconds:g} s"
    )
    rows = {
        "transport": found.transport,
        "codec": f"{found.codec} ({found.profile or 'profile unknown'})",
        "size": f"{found.width} x {found.height}",
        "frames": f"{found.fps:g} a second ({found.frames} seen)",
        "keyframes": keyframes,
        "bitrate": f"{found.bitrate / 1000:,.0f} kbit/s",
        "first frame": f"after {found.first_frame_seconds:g} s",
        "decoding": f"{found.decode_ms:g} ms a frame, {found.decode_errors} errors",
        "weight": f"{found.weight} (suggested spec.weight: thousandths of a core)",
    }
    return "".join(f"{name:12} {value}\n" for name, value in rows.items())


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
