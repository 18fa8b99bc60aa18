"""What README and guides tell a person to type on one machine, typed as it stands there.

In a network of its own, where the port 8000 is free and the documents' addresses are those of
simulated cameras, so that nothing of a command needs another value.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import pytest
import yaml

from tests.cluster.guide import fences
from tests.cluster.nodes.machine import network_obstacle
from tests.cluster.shell import Shell, checkout
from tests.cluster.typist import Typist, typing
from tests.fakes import guide_network

API: Final = "http://localhost:8000/api/cameras"
STARTED: Final = "standalone_started"
JPEG: Final = b"\xff\xd8"
STANDALONE: Final = ".venv/bin/camera-ingest standalone --cameras ./cameras"
REDIS: Final = "redis-server --save ''"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    if reason := network_obstacle():
        pytest.skip(reason)
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # `camera-ingest` is there
        "CAMERA_INGEST_PASSWORD": "password",  # as one types it when asked
    }
    directory = checkout(tmp_path / "checkout")
    with guide_network.new_network() as within:
        yield Shell(directory, environment, within)


@pytest.fixture
def guide(request: pytest.FixtureRequest, shell: Shell) -> Iterator[Typist]:
    with typing(request, shell) as typist:
        yield typist


@pytest.mark.types("CONTRIBUTING.md")
@pytest.mark.types("README.md", "Run it with your cameras")
def test_the_readme_leads_from_a_checkout_to_frames_and_events_of_ones_cameras(
    guide: Typist,
) -> None:
    directory = guide.shell.directory
    guide.shell.run("make --question install")  # else it would be made anew beneath these tests
    guide.type("make install")
    with guide.begin(STANDALONE, STARTED):
        added = guide.type(f"curl -X POST {API}")
        assert "password" not in added
        assert [*keepers(directory / "cameras", "password: password")] == [0o600]
        await_frame(guide.shell, "cam_001")
        guide.type("curl -f -o latest.jpg")
        shutil.copy(directory / "latest.jpg", directory / "frame.jpg")
        guide.type(f"curl -X POST {API}")
        pushed = guide.type("curl -X POST http://localhost:8000/api/ingest/push/cam_002")
        assert json.loads(pushed) == {"sequence": 1}
        (lobby, _) = fences("README.md", "yaml")
        (directory / "cameras" / "lobby.yaml").write_text(lobby.text)
        await_frame(guide.shell, "lobby")
        found = guide.type(".venv/bin/camera-ingest probe")
        assert "640 x 360" in found
    with (
        guide.shell.begin(REDIS) as redis,
        guide.begin(STANDALONE, "redis_connected"),
        guide.begin("redis-cli psubscribe", "psubscribe") as events,
    ):
        redis.wait_for("Ready to accept connections")
        assert "camera:" in events.wait_for("frame.ingested")


@pytest.mark.types("README.md", "See it work")
def test_the_demo_shows_its_cameras_answers_what_it_prints_and_leaves_nothing(
    guide: Typist,
) -> None:
    guide.shell.run("make --question install")
    temporary = guide.shell.directory / "temporary"
    temporary.mkdir()
    guide.shell = replace(guide.shell, environment={"TMPDIR": str(temporary)})
    with guide.begin("make demo", "Ctrl-C stops it") as demo:
        demo.wait_for("lobby     H.264        connected")
        printed = [*map(str.strip, demo.said.splitlines())]
        curls = [line for line in printed if line.startswith("curl ")]
        assert len(curls) == 3
        for curl in curls:
            guide.shell.run(curl)
    assert demo.said.rstrip().endswith("Stopped; nothing is left behind.")
    assert [*temporary.iterdir()] == []


@pytest.mark.types(
    "docs/guide/http-api.md",
    *("Errors", "Add a camera", "Show cameras", "Frames", "Push a frame"),
    *("Change a camera", "Remove a camera"),
)
def test_the_calls_of_the_http_api_answer_as_its_guide_shows(guide: Typist) -> None:
    directory = guide.shell.directory
    with guide.shell.begin(STANDALONE) as standalone:
        standalone.wait_for(STARTED)
        shown = guide.shown("curl -sS")
        assert guide.type("curl -sS").strip() == shown

        (told,) = fences("docs/guide/http-api.md", "json")
        added = json.loads(guide.type("curl -X POST"))
        assert shape(added) == shape(json.loads(told.text))
        assert added | {"spec": ..., "status": ...} == json.loads(told.text) | {
            "spec": ...,
            "status": ...,
        }

        (directory / "cameras" / "more.yaml").write_text(more_cameras(2, 101))
        await_answer(guide.shell, "cam_101")
        assert json.loads(guide.type(f"curl {API}/cam_001"))["id"] == "cam_001"
        for _ in range(2):
            page = re.escape(guide.shown(f"curl '{API}?limit=100")).replace("…", ".*")
            assert re.fullmatch(page, guide.type(f"curl '{API}?limit=100").strip())

        await_frame(guide.shell, "cam_001")
        guide.type("curl -f -o latest.jpg")
        guide.type("curl -f -o small.jpg")
        assert size(directory / "latest.jpg") == size(directory / "small.jpg") == (640, 360)
        shown = guide.shown(f"curl {API}/cam_001/frames").replace(",…", "")
        held = json.loads(guide.type(f"curl {API}/cam_001/frames"))
        assert shape(held) == shape(json.loads(shown))
        number = str(held["items"][-1]["sequence"])
        guide.type("curl -f -o NUMBER.jpg", NUMBER=number)
        shutil.copy(directory / f"{number}.jpg", directory / "frame.jpg")

        assert json.loads(guide.type(f"curl -X POST {API}"))["source_type"] == "http_push"
        for _ in range(2):
            shown = guide.shown("curl -X POST")
            assert guide.type("curl -X POST").strip() == shown

        assert json.loads(guide.type("curl -X PATCH"))["spec"]["suspend"] is True
        assert "n3w" not in guide.type("curl -X PATCH")
        moved = json.loads(guide.type("curl -X PATCH"))
        assert moved["source_url"] == "rtsp://10.0.0.8/stream2"
        resume = """-H 'Content-Type: application/json' -d '{"spec":{"suspend":null}}'"""
        guide.shell.run(f"curl -sS -X PATCH {API}/cam_001 {resume}")
        await_frame(guide.shell, "cam_001")  # so that login is the new one, at the new address

        assert guide.type("curl -X DELETE") == ""
        assert "unknown-camera" in guide.shell.run(f"curl -sS {API}/cam_001")


@pytest.mark.types("docs/guide/simulator.md", "The simulator")
def test_the_simulator_serves_what_a_player_plays(guide: Typist) -> None:
    drawn = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}
    guide.shell = replace(guide.shell, environment={**guide.shell.environment, **drawn})
    with guide.begin("camera-ingest simulator", "rtsp://127.0.0.1:8554/cam8"):
        assert '"cam8"' in guide.shell.run("curl -sS http://127.0.0.1:8555/cameras")
        with guide.begin("ffplay", "Video: h264") as player:
            assert "640x360" in player.said


def test_the_manifests_of_the_cameras_guide_are_a_camera_that_connects(shell: Shell) -> None:
    camera, _, secret = (fence.text for fence in fences("docs/guide/cameras.md", "yaml"))
    directory = shell.directory / "cameras"
    directory.mkdir()
    (directory / "lobby.yaml").write_text(camera)
    (directory / "lobby.secret.yaml").write_text(secret)
    (directory / "lobby.secret.yaml").chmod(0o600)
    with shell.begin(STANDALONE):
        await_frame(shell, "lobby")


def keepers(directory: Path, secret: str) -> Iterator[int]:
    """The modes of the files that hold a text."""
    for file in directory.iterdir():
        if secret in file.read_text():
            yield file.stat().st_mode & 0o777


def await_frame(shell: Shell, camera: str) -> None:
    """Return when a camera has a frame, which takes as long as it takes to connect."""
    asked = "curl -sS -f --retry 1000 --retry-all-errors --retry-delay 1 --retry-max-time 60"
    shell.run(f"{asked} -o first.jpg {API}/{camera}/frame/latest")
    assert (shell.directory / "first.jpg").read_bytes().startswith(JPEG)


def await_answer(shell: Shell, camera: str) -> None:
    """Return when the directory's manifest of a camera was picked up."""
    asked = "curl -sS -f --retry 1000 --retry-all-errors --retry-delay 1 --retry-max-time 60"
    shell.run(f"{asked} {API}/{camera}")


def more_cameras(first: int, last: int) -> str:
    """A manifest of cameras that wait for frames."""
    cameras = (
        {
            "apiVersion": "camera-ingest.io/v1alpha1",
            "kind": "Camera",
            "metadata": {"name": f"cam-{number:03}"},
            "spec": {"cameraId": f"cam_{number:03}", "source": {"push": {}}},
        }
        for number in range(first, last + 1)
    )
    return yaml.safe_dump_all(cameras)


def shape(value: Any) -> Any:
    """The keys of a JSON value, at every depth; of a list, those of its first item."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) else None


def size(picture: Path) -> tuple[int, int]:
    read = cv2.imread(str(picture))
    assert read is not None
    height, width, _ = read.shape
    return width, height
