"""Play the controllers and the node of one namespace, with processes for pods.

What a cluster does between our operator's StatefulSets and running workers: makes and replaces
Pods, starts their container with the environment and the account of the template, starts it again
when it dies, probes it, ends it with SIGTERM and a grace period, rolls a changed template out from
the highest ordinal down, and collects what an owner left behind. The API server, the tokens and the
workers are real.
"""

import base64
import contextlib
import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any

import urllib3

from tests.cluster.api_server import ADMIN_TOKEN, ApiServer
from tests.cluster.client import Client, Refused
from tests.cluster.identity import Identity
from tests.cluster.pod_addresses import PodAddresses
from tests.cluster.programs import Household, Program

COMMAND = str(Path(sys.executable).parent / "camera-ingest")
NODE = "played"
PERIOD = 0.1
COLLECTED = (
    ("api/v1", "secrets"),
    ("api/v1", "services"),
    ("api/v1", "serviceaccounts"),
    ("apis/apps/v1", "statefulsets"),
    ("apis/policy/v1", "poddisruptionbudgets"),
    ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    ("apis/rbac.authorization.k8s.io/v1", "roles"),
)
FAULTS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
OWNERS = ("cameras", "camerapools")


@dataclass
class PlayedPod:
    """A pod and its one process."""

    name: str
    uid: str
    ip: str
    template: str
    program: Program
    starts: int = 1
    ready: bool = False
    ending: float | None = None  # until when it may take
    frozen: bool = False
    held: bool = False  # killed by the test, and not to be started again yet
    told: bool = False  # the API server knows its address


class Kubelet(threading.Thread):
    """Owner of the pods of one namespace. `start` it, and `close` it.

    Args:
        server: Asked directly.
        namespace: Whose StatefulSets are played.
        household: Of the pods' processes.
        url: Where the pods reach the API server, if not directly.
        urls: The same of single pods, which so can be cut off from it by themselves.

    Attributes:
        faults: What the API server would refuse it again and again: it plays wrongly, and `world`
            fails for it.
    """

    def __init__(
        self,
        server: ApiServer,
        namespace: str,
        household: Household,
        url: str = "",
        urls: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(name="kubelet", daemon=True)
        self._server = server
        self._admin = Client(server.url, server.ca_file, ADMIN_TOKEN)
        self._url = url
        self._urls = dict(urls)
        self._namespace = namespace
        self._household = household
        self._http = urllib3.PoolManager(retries=False, timeout=0.5)
        self._over = threading.Event()
        self._lock = threading.RLock()
        net = 1 + int(hashlib.sha256(namespace.encode()).hexdigest(), 16) % 250
        self._addresses = PodAddresses(f"127.{net}.0")
        self.pods: dict[str, PlayedPod] = {}
        self._stranded: list[PlayedPod] = []
        self.disturbed: set[str] = set()  # pods that were killed, frozen, cut off or told to end
        self.faults: set[str] = set()

    def run(self) -> None:
        looked = 0.0
        while not self._over.wait(PERIOD):
            # The API server is away, as tests have it.
            with contextlib.suppress(urllib3.exceptions.HTTPError), self._lock, self._refusable():
                self._look()
                if time.monotonic() - looked > 1:
                    looked = time.monotonic()
                    self._collect()

    def close(self) -> None:
        """End every pod at once."""
        self._over.set()
        self.join()
        for pod in self.pods.values():
            pod.program.kill()
        self.sink()
        self._admin.close()

    # What tests do to pods

    @contextmanager
    def still(self) -> Iterator[list[str]]:
        """Names of the pods that run, frozen or not, and were not told to end.

        None of them comes or goes before the block is left.
        """
        with self._lock:
            yield sorted(
                name for name, pod in self.pods.items() if pod.program.alive and pod.ending is None
            )

    def kill(self, name: str, *, hold: bool = False) -> None:
        """SIGKILL the container; it starts again unless it is held (`release` lets it)."""
        with self._lock:
            self.disturbed.add(name)
            self.pods[name].held = hold
            self.pods[name].program.kill()

    def release(self, name: str) -> None:
        with self._lock:
            self.pods[name].held = False

    def pause(self, name: str) -> None:
        with self._lock:
            self.disturbed.add(name)
            self.pods[name].frozen = True
            self.pods[name].program.pause()

    def resume(self, name: str) -> None:
        with self._lock:
            self.pods[name].frozen = False
            self.pods[name].program.resume()

    def cut_off(self, name: str) -> None:
        """Its way to the API server is blocked: whatever follows from that is no fault."""
        with self._lock:
            self.disturbed.add(name)

    def strand(self, name: str) -> None:
        """Delete a pod by force whose node is cut off: its process runs on beside the next one.

        One that went meanwhile leaves no process.
        """
        with self._lock:
            self._urls.pop(name, None)  # the next one is on another node
            pod = self.pods.pop(name, None)
            if pod is None:
                return
            self.disturbed.add(name)
            self._stranded.append(pod)
            with self._refusable():
                self._admin.delete(self._path(name), {"gracePeriodSeconds": 0})

    def sink(self) -> None:
        """End the processes that were stranded, as their kubelet does when it is back."""
        with self._lock:
            for pod in self._stranded:
                pod.program.kill()
            self._stranded.clear()

    # How it plays

    @contextmanager
    def _refusable(self) -> Iterator[None]:
        """The API server may refuse what is done in the block; the next look tries again."""
        try:
            yield
        except Refused as error:
            if is_fault(error):
                self.faults.add(str(error))

    def _look(self) -> None:
        path = f"/apis/apps/v1/namespaces/{self._namespace}/statefulsets"
        sets = {one["metadata"]["name"]: one for one in self._admin.get(path)["items"]}
        told = {one["metadata"]["name"]: one for one in self._admin.get(self._path())["items"]}
        wanted = {
            f"{name}-{ordinal}": one
            for name, one in sets.items()
            for ordinal in range(one["spec"]["replicas"])
        }
        for name in list(self.pods):
            self._keep(self.pods[name], told.get(name), wanted.get(name))
        for name, owner in wanted.items():
            if name not in self.pods:
                self._begin(name, owner)
        for owner in sets.values():
            self._roll(owner)

    def _keep(self, pod: PlayedPod, told: Any, owner: Any) -> None:
        if told is None or told["metadata"]["uid"] != pod.uid:  # deleted by force
            pod.program.kill()
            del self.pods[pod.name]
            return
        if "deletionTimestamp" in told["metadata"] or pod.ending is not None:
            self._end(pod, told)
        elif owner is None:
            self._evict(pod)
        elif not pod.program.alive:
            if not pod.held:
                pod.program.start()
                pod.starts += 1
            self._say(pod, ready=False)
        elif not pod.frozen:
            self._say(pod, ready=self._probe(pod))

    def _end(self, pod: PlayedPod, told: Any) -> None:
        self.disturbed.add(pod.name)
        if pod.ending is None:
            grace = told["metadata"].get("deletionGracePeriodSeconds", 30)
            pod.ending = time.monotonic() + grace
            if pod.program.alive:
                os.kill(pod.program.pid, signal.SIGTERM)
        if not pod.program.alive or time.monotonic() > pod.ending:
            pod.program.kill()
            with self._refusable():
                self._admin.delete(self._path(pod.name), {"gracePeriodSeconds": 0})
            del self.pods[pod.name]

    def _evict(self, pod: PlayedPod) -> None:
        with self._refusable():
            self._admin.delete(self._path(pod.name))

    def _begin(self, name: str, owner: Any) -> None:
        template = owner["spec"]["template"]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": template["metadata"]["labels"],
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "StatefulSet",
                        "name": owner["metadata"]["name"],
                        "uid": owner["metadata"]["uid"],
                        "controller": True,
                    }
                ],
            },
            "spec": {**template["spec"], "nodeName": NODE},
        }
        with self._refusable():  # the last one of this name is not gone yet
            made = self._admin.post(self._path(), body)
            ip = self._addresses.free(pod.ip for pod in (*self.pods.values(), *self._stranded))
            program = Program(
                self._household, f"{self._namespace}-{name}-{made['metadata']['uid']}"
            )
            account = Identity(
                self._server, self._namespace, template["spec"]["serviceAccountName"]
            )
            kubeconfig = account.kubeconfig(
                self._household.directory / f"{program.name}.kubeconfig",
                url=self._urls.get(name, self._url),
            )
            environment = self._environment(template["spec"], made)
            environment["CAMERA_INGEST_KUBECONFIG"] = str(kubeconfig)
            environment["CAMERA_INGEST_LISTEN"] = f"{ip}:8080"
            assigned = [f"{key}={value}" for key, value in environment.items()]
            program.command = (
                "env",
                *assigned,
                COMMAND,
                *template["spec"]["containers"][0]["args"],
            )
            program.start()
            uid = made["metadata"]["uid"]
            self.pods[name] = PlayedPod(name, uid, ip, _digest(template), program)
            self._say(self.pods[name], ready=False)

    def _environment(self, spec: Any, pod: Any) -> dict[str, str]:
        return dict(self._variables(spec["containers"][0]["env"], pod))

    def _variables(self, env: Any, pod: Any) -> Iterator[tuple[str, str]]:
        for one in env:
            source = one.get("valueFrom", {})
            if "fieldRef" in source:
                yield one["name"], pod["metadata"][source["fieldRef"]["fieldPath"].split(".")[1]]
            elif "secretKeyRef" in source:
                secret = source["secretKeyRef"]
                path = f"/api/v1/namespaces/{self._namespace}/secrets/{secret['name']}"
                yield (
                    one["name"],
                    base64.b64decode(self._admin.get(path)["data"][secret["key"]]).decode(),
                )
            else:
                yield one["name"], one.get("value", "")

    def _probe(self, pod: PlayedPod) -> bool:
        try:
            return self._http.request("GET", f"http://{pod.ip}:8080/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _say(self, pod: PlayedPod, *, ready: bool) -> None:
        if pod.told and ready == pod.ready:
            return
        status = {
            "phase": "Running",
            "podIP": pod.ip,
            "podIPs": [{"ip": pod.ip}],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        }
        with self._refusable():
            self._admin.merge(f"{self._path(pod.name)}/status", {"status": status})
            pod.ready, pod.told = ready, True

    def _roll(self, owner: Any) -> None:
        """Replace one pod of an old template, the highest first, when all others are ready."""
        template = _digest(owner["spec"]["template"])
        own = [
            pod
            for name, pod in self.pods.items()
            if name.rpartition("-")[0] == owner["metadata"]["name"]
        ]
        old = [pod for pod in own if pod.template != template]
        settled = all(pod.ready and pod.ending is None for pod in own)
        if old and settled and len(own) == owner["spec"]["replicas"]:
            self._evict(max(old, key=lambda pod: int(pod.name.rpartition("-")[2])))

    def _collect(self) -> None:
        """Delete what names an owner of ours that is no more.

        Owners are listed last: one that came meanwhile would be missed, and what it owns deleted.
        """
        owned = [
            (f"{path}/{one['metadata']['name']}", owners)
            for group, plural in COLLECTED
            for path in [f"/{group}/namespaces/{self._namespace}/{plural}"]
            for one in self._admin.get(path)["items"]
            if (owners := one["metadata"].get("ownerReferences", ()))
        ]
        api = f"/apis/camera-ingest.io/v1alpha1/namespaces/{self._namespace}"
        living = {
            one["metadata"]["uid"]
            for plural in OWNERS
            for one in self._admin.get(f"{api}/{plural}")["items"]
        }
        for path, owners in owned:
            if all(owner["uid"] not in living for owner in owners):
                with self._refusable():
                    self._admin.delete(path)

    def _path(self, name: str = "") -> str:
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        return f"{path}/{name}" if name else path


def is_fault(refused: Refused) -> bool:
    """Whether that would be refused at any time, and not for what is there or not there just now.

    Forbidden is no fault of the kubelet's, which may do everything: an account or a namespace is
    not known yet, or no more.
    """
    return refused.status in FAULTS


def _digest(template: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()
