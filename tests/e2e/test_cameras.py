"""Cameras of every kind in a cluster, as `kubectl get cameras` shows them to a person."""

from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from tests.cluster.command_line import CommandLine
from tests.e2e import gate, states, vault
from tests.e2e.door import door
from tests.e2e.site import forwarded
from tests.fakes.authority import authority
from tests.fakes.footage import jpeg

CAMERAS: Final = f"""\
{gate.MANIFEST}---
apiVersion: camera-ingest.io/v1alpha1
kind: Camera
metadata: {{name: vault}}
spec:
  source:
    rtsp:
      url: {vault.URL}
      tls: {{caSecretRef: {{name: {vault.AUTHORITY}, key: ca.crt}}}}
---
apiVersion: camera-ingest.io/v1alpha1
kind: Camera
metadata: {{name: vault-unknown}}
spec:
  source:
    rtsp: {{url: "{vault.URL}"}}
"""


@pytest.fixture(scope="module")
def every_kind(
    cameras: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """Beside the guide's: one of rtsps, one that pushes with a token, one that is not trusted."""
    vault.install(cameras, authority(tmp_path_factory.mktemp("tls") / "authority"))
    cameras.kubectl("apply", "--filename=-", stdin=CAMERAS)
    yield cameras
    cameras.kubectl("delete", "--wait=false", "--filename=-", stdin=CAMERAS)
    vault.remove(cameras)


def test_a_camera_with_a_login_is_ready(every_kind: CommandLine) -> None:
    row = _ready(every_kind, "lobby")

    assert (row["SOURCE"], row["REASON"]) == ("rtsp://simulator:8554/cam1", "Connected")


def test_a_camera_of_rtsps_whose_authority_is_named_is_ready(every_kind: CommandLine) -> None:
    row = _ready(every_kind, "vault")

    assert (row["SOURCE"], row["REASON"]) == (vault.URL, "Connected")
    assert (row["WIDTH"], row["HEIGHT"], row["CODEC"]) == ("640", "360", "h264")
    assert int(row["EPOCH"]) >= 1


def test_a_camera_of_rtsps_that_nobody_vouches_for_is_not_connected_to(
    every_kind: CommandLine,
) -> None:
    row = states.until(  # before it listens it is unreachable for another reason
        lambda: _row(every_kind, "vault-unknown"),
        lambda row: "the certificate is not trusted" in row["MESSAGE"],
    )

    assert (row["SOURCE"], row["READY"], row["REASON"]) == (vault.URL, "False", "Unreachable")


def test_a_device_that_pushes_is_let_in_by_its_token_and_is_ready_then(
    every_kind: CommandLine,
) -> None:
    waiting = states.until(
        lambda: _row(every_kind, gate.NAME), lambda row: row["REASON"] == "WaitingForPush"
    )
    with forwarded(every_kind, "service/cameras-camera-ingest-gateway", 80) as address:
        device = door(f"http://{address}")
        unknown, pushed = device.push(gate.NAME, jpeg()), device.push(gate.NAME, jpeg(), gate.TOKEN)

    assert (waiting["SOURCE"], waiting["READY"]) == ("", "False")
    assert (unknown.status, pushed.status) == (401, 202)
    row = _ready(every_kind, gate.NAME)
    assert (row["SOURCE"], row["REASON"], row["CODEC"]) == ("", "Connected", "mjpeg")


def test_what_is_shown_without_asking_for_more_fits_a_terminal(every_kind: CommandLine) -> None:
    _ready(every_kind, "vault")

    header, *rows = every_kind.kubectl("get", "cameras").splitlines()

    assert header.split() == ["NAME", "SOURCE", "POOL", "WORKER", "READY", "REASON", "AGE"]
    assert {row.split()[0] for row in rows} >= {"lobby", "yard", "door", gate.NAME, "vault"}
    assert max(map(len, (header, *rows))) <= 120


def _ready(by: CommandLine, camera: str) -> Mapping[str, str]:
    """The camera's line, once it is Ready."""
    by.kubectl("wait", "--for=condition=Ready", "--timeout=120s", f"camera/{camera}")
    row = _row(by, camera)
    assert (row["NAME"], row["POOL"], row["READY"]) == (camera, "default", "True")
    assert row["WORKER"] in ("default-0", "default-1")
    return row


def _row(by: CommandLine, camera: str) -> Mapping[str, str]:
    """What a person reads in a camera's line, by the head of its column."""
    head, line = by.kubectl("get", "cameras", "--output=wide", camera).splitlines()
    names = head.split()
    begins = [*(head.index(f"{name} ") for name in names[:-1]), head.index(names[-1])]
    cells = zip(begins, [*begins[1:], len(line)], strict=True)
    return dict(zip(names, (line[begin:end].strip() for begin, end in cells), strict=True))
