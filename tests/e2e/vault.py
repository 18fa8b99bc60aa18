"""A camera that speaks TLS only, simulated in a pod, with a certificate that no machine trusts.

The simulator's command serves no rtsps, its class does.
"""

import json
from pathlib import Path
from typing import Any, Final

from tests.cluster.command_line import CommandLine
from tests.fakes.authority import Authority

HOST: Final = "vault"
URL: Final = f"rtsps://{HOST}:8322/cam1"
AUTHORITY: Final = "vault-authority"  # a Secret, with the key `ca.crt`
_CERTIFICATE: Final = "vault-certificate"
_IMAGE: Final = "camera-ingest:latest"  # as in docs/guide/simulated-cameras.yaml

_PROGRAM: Final = """\
import asyncio, ssl
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.simulator import Simulator

async def serve():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
    async with Simulator("0.0.0.0", 8322, tls=tls) as simulator:
        await simulator.add(SimulatedCamera(name="cam1"))
        await asyncio.Event().wait()

asyncio.run(serve())
"""


def install(by: CommandLine, authority: Authority) -> None:
    """Have it in a namespace, where the Secret AUTHORITY holds what signed its certificate."""
    certificate, key = authority.sign(HOST, host=f"DNS:{HOST}")
    _secret(by, "tls", _CERTIFICATE, f"--cert={certificate}", f"--key={key}")
    _secret(by, "generic", AUTHORITY, f"--from-file=ca.crt={authority.certificate}")
    by.kubectl("apply", "--filename=-", stdin=json.dumps(_manifest()))
    by.kubectl("rollout", "status", f"deployment/{HOST}", "--timeout=3m")


def remove(by: CommandLine) -> None:
    """Take all of it away again."""
    by.kubectl("delete", f"deployment/{HOST}", f"service/{HOST}", "--wait=false")
    by.kubectl("delete", "secret", AUTHORITY, _CERTIFICATE)


def _secret(by: CommandLine, kind: str, name: str, *content: str | Path) -> None:
    by.kubectl("create", "secret", kind, name, *map(str, content))


def _manifest() -> Any:
    labels = {"app.kubernetes.io/name": HOST}
    container = {
        "name": "simulator",
        "image": _IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _PROGRAM],
        "env": [{"name": "XDG_CACHE_HOME", "value": "/tmp"}],
        "readinessProbe": {"tcpSocket": {"port": 8322}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tls", "secret": {"secretName": _CERTIFICATE}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": HOST},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": HOST},
        "spec": {"selector": labels, "ports": [{"port": 8322}]},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [deployment, service]}
