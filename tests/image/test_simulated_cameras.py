"""The pod of docs/guide/simulated-cameras.yaml plays what its Cameras name, as a node runs it."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.nodes.installation import SIMULATED_CAMERAS
from tests.image.builder import Image
from tests.image.container import Way, running

Manifest = dict[str, Any]

POD = "127.0.0.2"  # an address of the container that is not the one of programs that hide
CLIPS = "import pathlib; print(*pathlib.Path('/tmp').rglob('*.clip'))"


def test_each_rtsp_camera_is_played_at_its_url_to_who_has_its_login(
    image: Image, tmp_path: Path
) -> None:
    kinds: dict[str, list[Manifest]] = {}
    for one in yaml.safe_load_all(SIMULATED_CAMERAS.read_text()):
        kinds.setdefault(one["kind"], []).append(one)
    (deployment,), (service,), (secret,) = kinds["Deployment"], kinds["Service"], kinds["Secret"]
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    for port in service["spec"]["ports"]:
        assert port["port"] == ports[port["targetPort"]]  # the pod is asked as its Service is
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{POD} {service['metadata']['name']}\n")
    login = secret["stringData"]
    environment = variables(container, secret) | {"CAMERA_INGEST_PASSWORD": login["password"]}
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    way = Way(
        read_only=container["securityContext"]["readOnlyRootFilesystem"],
        tmp=mounted == {"/tmp"},
        files={"/etc/hosts": hosts},
        environment=environment,
    )
    with running(image, *container["args"], way=way) as running_pod:
        ready = container["readinessProbe"]["httpGet"]
        answer = running_pod.fetch(f"http://{POD}:{ports[ready['port']]}{ready['path']}")
        assert {camera["auth"] for camera in json.loads(answer)} == {"digest-md5"}
        sources = [camera["spec"]["source"] for camera in kinds["Camera"]]
        for source in (source["rtsp"] for source in sources if "rtsp" in source):
            assert source["credentialsSecretRef"] == {"name": secret["metadata"]["name"]}
            url = source["url"].replace("://", f"://{login['username']}@")
            seen = running_pod.run("camera-ingest", "probe", "--json", "--seconds", "1", url)
            assert json.loads(seen)["width"] == 640
        assert running_pod.run("python3", "-c", CLIPS).strip()  # kept, so that a restart is quick
        assert login["password"] not in running_pod.said


def variables(container: Manifest, secret: Manifest) -> dict[str, str]:
    """What a node makes of `env`."""
    given: dict[str, str] = {}
    for one in container["env"]:
        if "value" in one:
            given[one["name"]] = one["value"]
        else:
            reference = one["valueFrom"]["secretKeyRef"]
            assert reference["name"] == secret["metadata"]["name"]
            given[one["name"]] = secret["stringData"][reference["key"]]
    return given
