"""The store under the API server, and its own HTTP interface (v3, JSON)."""

import base64
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import urllib3

from tests.cluster.programs import HOST, Household, Program, free_port

_PAGE: Final = 200  # keys of an answer, each of up to 1.5 MB


class Etcd(Program):
    """One member, with its data in the household's directory."""

    def __init__(self, household: Household, binary: Path) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        peers = f"http://{HOST}:{free_port()}"
        options = {
            "data-dir": household.directory / "etcd",
            "listen-client-urls": self.url,
            "advertise-client-urls": self.url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            "quota-backend-bytes": 8 << 30,  # nothing is compacted unless a test asks
            "log-level": "error",
        }
        command: list[str | Path] = [
            binary,
            *(f"--{key}={value}" for key, value in options.items()),
        ]
        if _knows(binary, "--unsafe-no-fsync"):
            command.append("--unsafe-no-fsync")
        super().__init__(household, "etcd", command)
        self._http = urllib3.PoolManager(retries=False, timeout=10)

    def start(self) -> None:
        """Start it; returns when it answers."""
        super().start()
        deadline = time.monotonic() + 20
        while self.alive and time.monotonic() < deadline:
            try:
                if self._http.request("GET", f"{self.url}/health").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.01)  # another process says in no other way that it listens
        raise RuntimeError(f"etcd did not start: {self.said}")

    def close(self) -> None:
        self._http.clear()

    def revision(self) -> int:
        """The store's newest revision: what the API calls a resourceVersion."""
        answer = self._call("kv/range", {"key": base64.b64encode(b"/").decode()})
        return int(answer["header"]["revision"])

    def compact(self, revision: int) -> None:
        """Forget what was before this revision."""
        self._call("kv/compaction", {"revision": str(revision), "physical": True})

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key that there is now, with its value."""
        first, revision = b"\0", self.revision()
        while True:
            asked = {"key": first, "range_end": b"\0"}  # from a key to the end of all
            body = {name: base64.b64encode(key).decode() for name, key in asked.items()}
            answer = self._call("kv/range", {**body, "limit": _PAGE, "revision": str(revision)})
            for one in answer.get("kvs", ()):
                first = base64.b64decode(one["key"])
                yield first, base64.b64decode(one.get("value", ""))
            if not answer.get("more"):
                return
            first += b"\0"  # the next one that can be

    def _call(self, path: str, body: object) -> Any:
        answer = self._http.request("POST", f"{self.url}/v3/{path}", json=body)
        assert answer.status == 200, answer.data.decode()
        return answer.json()


def _knows(binary: Path, option: str) -> bool:
    shown = subprocess.run([binary, "--help"], check=False, capture_output=True, text=True)
    return option in shown.stdout + shown.stderr
