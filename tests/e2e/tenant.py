"""A second installation beside that of `cameras`, in a namespace of its own: `other`.

It has every name that the first one has: of its release, and so of its Services and accounts; of
its pool, and so of its workers and their Leases; of Cameras, of Secrets. What it has besides is a
second pool, `side`, and a Redis with a password. Its pictures are smaller: so they are told apart.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import yaml

from tests.cluster.command_line import CommandLine
from tests.cluster.leaks import Credential
from tests.cluster.nodes.installation import SIMULATED_CAMERAS
from tests.e2e.site import SMALL, Site

NAMESPACE: Final = "other"
WIDTH, HEIGHT = 320, 176  # those of the first one have 640x360

LOGIN: Final = Credential(
    "the cameras' password", "p@:/%&<lWagtail4Umbrella7", "lWagtail4Umbrella7"
)
REDIS: Final = Credential(
    "the password of Redis", "r@:/%&<Hoopoe8Lantern3Ink", "Hoopoe8Lantern3Ink"
)

OPERATOR: Final = "cameras-camera-ingest-operator"
GATEWAY: Final = "cameras-camera-ingest-gateway"

WORKERS: Final[Mapping[str, Any]] = {
    "replicas": 1,
    "worker": {"weightCapacity": 1000, "resources": SMALL},
}
VALUES: Final = {
    "runAsUser": 1_000_650_000,  # whom no image knows
    "operator": {"replicas": 1},
    "gateway": {"replicas": 1},
    "pool": {"spec": WORKERS},
    "redis": {"existingSecret": "redis"},
}

_REDIS_LABELS: Final = {"app.kubernetes.io/name": "redis"}
_RESTRICTED: Final = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_CONFINED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def install(site: Site) -> CommandLine:
    """Make it; returns when its cameras' frames come. The administrator, in its namespace."""
    installation = site.installation(NAMESPACE, VALUES)
    by = installation.by
    installation.make_namespace()
    apply(by, *_redis(), *simulator())
    installation.install()
    apply(by, pool("side"), secret("side-login", username="admin", password=LOGIN.text))
    apply(by, *_cameras(), camera("alley", "cam1", pool="side", login="side-login"))
    await_ready(by, "lobby", "yard", "alley")
    return by


def apply(by: CommandLine, *manifests: Mapping[str, Any]) -> None:
    by.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(manifests))


def await_ready(by: CommandLine, *cameras: str) -> None:
    """Return when fresh frames of all can be had."""
    names = (f"camera/{name}" for name in cameras)
    by.kubectl("wait", "--for=condition=Ready", "--timeout=180s", *names)


def pool(name: str, **spec: Any) -> dict[str, Any]:
    """One small worker, unless the spec says otherwise."""
    return _object("CameraPool", name, spec={**WORKERS, **spec})


def camera(
    name: str,
    path: str,
    *,
    host: str = "simulator:8554",
    pool: str = "default",
    login: str = "simulated-login",
    weight: int = 100,
    **rtsp: Any,
) -> dict[str, Any]:
    """A Camera of the simulator.

    Args:
        name: Of the Camera, and its id.
        path: At the simulator, faults included.
        host: Of the simulator.
        pool: That captures it.
        login: Name of the Secret with it.
        weight: Of its pool's 1000.
        rtsp: What else its source says.
    """
    url = f"rtsp://{host}/{path}"
    source = {"rtsp": {"url": url, "credentialsSecretRef": {"name": login}, **rtsp}}
    spec = {"poolRef": {"name": pool}, "weight": weight, "source": source}
    return _object("Camera", name, spec=spec)


def secret(name: str, **values: str) -> dict[str, Any]:
    return {**_object("Secret", name, version="v1"), "stringData": values}


def simulator() -> Sequence[Any]:
    """That of the guide, which asks for a login in a way that could be read, and is smaller."""
    made = [one for one in _guide() if one["kind"] not in ("Camera", "Secret")]
    (deployment,) = (one for one in made if one["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    digest = container["args"].index("--auth=digest-md5")
    container["args"][digest] = "--auth=basic"
    container["args"].append(f"--size={WIDTH}x{HEIGHT}")
    return [secret("simulated-login", username="admin", password=LOGIN.text), *made]


def _object(
    kind: str, name: str, version: str = "camera-ingest.io/v1alpha1", **rest: Any
) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}


def _guide() -> Sequence[Any]:
    return list(yaml.safe_load_all(SIMULATED_CAMERAS.read_text()))


def _cameras() -> Sequence[Any]:
    return [one for one in _guide() if one["kind"] == "Camera"]


def _redis() -> Sequence[Any]:
    """A Redis that keeps its password out of its arguments."""
    url = f"redis://:{quote(REDIS.text, safe='')}@redis:6379/0"
    settings = f"dir /tmp\nsave ''\nprotected-mode no\nrequirepass {REDIS.text}\n"
    container = {
        "name": "redis",
        "image": "docker.io/library/redis:7.4-alpine",
        "command": ["redis-server", "/etc/redis/redis.conf"],
        "ports": [{"containerPort": 6379}],
        "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
        "securityContext": {**_CONFINED, "runAsUser": 65532},
        "volumeMounts": [
            {"name": "settings", "mountPath": "/etc/redis"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    volumes = [
        {"name": "settings", "secret": {"secretName": "redis-settings"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    template = {
        "metadata": {"labels": _REDIS_LABELS},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": _RESTRICTED,
            "containers": [container],
            "volumes": volumes,
        },
    }
    selector = {"matchLabels": _REDIS_LABELS}
    service = {"selector": _REDIS_LABELS, "ports": [{"port": 6379}]}
    return [
        secret("redis", url=url),
        secret("redis-settings", **{"redis.conf": settings}),
        _object(
            "Deployment", "redis", "apps/v1", spec={"selector": selector, "template": template}
        ),
        _object("Service", "redis", "v1", spec=service),
    ]
