"""Our client on the real API server, as a service account of its own that the audit log names."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ingest_core.kube.access import load
from ingest_core.kube.cameras import KubeCameras
from ingest_core.kube.client import SILENCE_SECONDS, Api, Called, _nobody
from ingest_core.kube.informer import Informer
from tests.cluster.api_server import ApiServer
from tests.cluster.audit import Request
from tests.cluster.identity import Identity, service_account

RULES = [
    {"apiGroups": ["camera-ingest.io"], "resources": ["cameras", "cameras/status"], "verbs": ["*"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["events", "secrets", "configmaps"], "verbs": ["*"]},
]


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls, and what it has called since it was made."""

    server: ApiServer
    identity: Identity
    since: int

    @asynccontextmanager
    async def api(
        self,
        folder: Path,
        url: str = "",
        *,
        called: Called = _nobody,
        silence: float = SILENCE_SECONDS,
    ) -> AsyncIterator[Api]:
        """A client, by a proxy's URL if there is one."""
        kubeconfig = self.identity.kubeconfig(folder / f"kubeconfig-{bool(url)}", url=url)
        access = await load(str(kubeconfig), {})
        async with Api(access, called=called, silence=silence) as api:
            yield api

    def requests(self, verb: str) -> list[Request]:
        """What it asked, as the server answered it."""
        asked = self.server.audit.requests(self.since)
        return [one for one in asked if one.user == self.identity.user and one.verb == verb]

    def queries(self, verb: str) -> list[dict[str, str]]:
        """The parameters of what it asked."""
        uris = [urlsplit(request.uri).query for request in self.requests(verb)]
        return [{key: value[0] for key, value in parse_qs(query).items()} for query in uris]


def account(server: ApiServer, namespace: str) -> Account:
    identity = service_account(server, namespace, "tester", RULES)
    return Account(server, identity, server.audit.position())


def manifest(name: str, **spec: Any) -> dict[str, Any]:
    """A Camera."""
    rtsp = {"rtsp": {"url": "rtsp://10.0.0.7/stream"}}
    return {
        "apiVersion": "camera-ingest.io/v1alpha1",
        "kind": "Camera",
        "metadata": {"name": name},
        "spec": {"source": rtsp, **spec},
    }


@asynccontextmanager
async def following(copy: Informer[Any] | KubeCameras) -> AsyncIterator[None]:
    """Run it for a block."""
    task = asyncio.create_task(copy.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(
    copy: Informer[Any] | KubeCameras, condition: Callable[[], bool], seconds: float = 30.0
) -> None:
    """Look again at each change, until it is so."""
    async with asyncio.timeout(seconds), copy.changes() as changes:
        async for _ in changes:
            if condition():
                return
