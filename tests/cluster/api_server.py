"""A real Kubernetes API server: etcd and kube-apiserver; others may add controllers and nodes.

Promise: it is what users run (RBAC, admission, service accounts' tokens, an audit log), it can be
killed, frozen, restarted and made to forget, and it dies with the test process.
What needs a controller does not happen by itself: no pods start, no garbage is collected, and a
deleted namespace stays until somebody finalizes it. `tests/cluster/nodes` adds all that.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import urllib3

from tests.cluster.audit import POLICY, AuditLog
from tests.cluster.binaries import Binaries
from tests.cluster.client import Client, Refused
from tests.cluster.etcd import Etcd
from tests.cluster.programs import HOST, Household, Program, free_port
from tests.fakes.authority import authority

ADMIN_TOKEN = "admin-token"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"  # the API server's own, within the cluster
ISSUER = "https://kubernetes.default.svc"

ALONE: Final = {
    "authorization-mode": "RBAC",
    # Without a controller nobody makes the account that this plugin gives to each Pod.
    "disable-admission-plugins": "ServiceAccount",
    "etcd-compaction-interval": "0",  # it forgets when a test says so
}
AMONG_OTHERS: Final = {
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "kubelet-preferred-address-types": "InternalIP",
}


class ApiServer:
    """Own it by `start` and `stop`; everything between may break it.

    Attributes:
        url: Where it listens; the same over every restart.
        ca_file: What a client has to trust.
        admin: A client that may do everything.
        kubeconfig: A file for `kubectl` as that admin.
        audit: What it was asked.
        process: kube-apiserver; `etcd`: its store.
        tokens: Of its users, by name.
        signing_key: Of the service accounts' tokens.
    """

    def __init__(
        self,
        binaries: Binaries,
        options: Sequence[str] = (),
        *,
        address: str = HOST,
        users: Mapping[str, str] | None = None,
    ) -> None:
        """Get ready to start.

        Args:
            binaries: What is run.
            options: Of kube-apiserver, beside ours.
            address: Of this machine, where it listens.
            users: Of the controllers and nodes that there are beside it, each with its group or
                none; None: there are none.
        """
        self._household = Household()
        home = self._household.directory
        self.port = free_port()
        self.url = f"https://{address}:{self.port}"
        self.ca_file = home / "tls" / "ca.pem"
        self.kubeconfig = home / "admin.kubeconfig"
        self.audit = AuditLog(home / "audit.log")
        self.etcd = Etcd(self._household, binaries.etcd)
        names = f"IP:{address},IP:{FIRST_SERVICE},DNS:kubernetes.default.svc"
        certificate, self.signing_key = authority(home / "tls").sign("kube-apiserver", host=names)
        ours = {
            **self._options(home, address, certificate),
            **(ALONE if users is None else AMONG_OTHERS),
        }
        given = (*(f"--{name}={value}" for name, value in ours.items()), *options)
        self.process = Program(self._household, "kube-apiserver", (binaries.kube_apiserver, *given))
        groups = {"admin": "system:masters", **(users or {})}
        self.tokens = {user: f"{user}-token" for user in groups} | {"admin": ADMIN_TOKEN}
        lines = (f'{self.tokens[user]},{user},{user},"{group}"' for user, group in groups.items())
        (home / "tokens.csv").write_text("\n".join(lines) + "\n")
        (home / "audit-policy.json").write_text(json.dumps(POLICY))
        self.admin = Client(self.url, self.ca_file, ADMIN_TOKEN)
        write_kubeconfig(self.kubeconfig, self.url, self.ca_file, {"token": ADMIN_TOKEN})

    def _options(self, home: Path, address: str, certificate: Path) -> dict[str, object]:
        return {
            "etcd-servers": self.etcd.url,
            "bind-address": address,
            "advertise-address": address,
            "secure-port": self.port,
            "service-cluster-ip-range": SERVICES,
            "tls-cert-file": certificate,
            "tls-private-key-file": self.signing_key,
            "token-auth-file": home / "tokens.csv",
            "allow-privileged": "true",
            "service-account-issuer": ISSUER,
            "service-account-key-file": certificate,  # tokens are signed with the server's own key
            "service-account-signing-key-file": self.signing_key,
            "audit-policy-file": home / "audit-policy.json",
            "audit-log-path": self.audit.path,
            "audit-log-mode": "blocking",
            "audit-log-maxsize": "100000",  # megabytes: never rotated
            "max-requests-inflight": "2000",
            "max-mutating-requests-inflight": "1000",
        }

    def start(self) -> None:
        """Start both; returns when the API is ready."""
        self.etcd.start()
        self.process.start()
        self.await_ready()

    def stop(self) -> None:
        """End both and forget everything."""
        self.admin.close()
        self.etcd.close()
        self._household.__exit__()

    def kill(self) -> None:
        """SIGKILL the API server; etcd stays."""
        self.process.kill()

    def restart(self) -> None:
        """The API server dies (if it lives) and comes back at the same place with the same data."""
        self.process.kill()
        self.process.start()
        self.await_ready()

    def pause(self) -> None:
        """Freeze the API server: connections stay open and nothing answers."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def heal(self) -> None:
        """Whatever a test did to it, it serves again."""
        for program in (self.etcd, self.process):
            if program.alive:
                program.resume()
            else:
                program.start()
        self.await_ready()

    def compact(self, revision: int | None = None) -> int:
        """Forget the store's history before a revision (default: now); the revision.

        The running API server still remembers what its own cache holds: see `expire_history`.
        """
        revision = revision or self.etcd.revision()
        self.etcd.compact(revision)
        return revision

    def expire_history(self, revision: int | None = None) -> int:
        """Compact and restart: a watch from before the revision that is returned gets a 410."""
        revision = self.compact(revision)
        self.restart()
        return revision

    def await_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self.process.alive and time.monotonic() < deadline:
            try:
                self.admin.get("/readyz")
            except (urllib3.exceptions.HTTPError, Refused):
                time.sleep(0.01)  # a server in another process says in no other way that it is
            else:
                return
        raise RuntimeError(f"kube-apiserver is not ready: {self.process.said}")


def write_kubeconfig(
    path: Path, url: str, ca_file: Path, user: dict[str, str], namespace: str = "default"
) -> None:
    """A file for `kubectl` and other clients; `user` is `{"token": …}` or `{"tokenFile": …}`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "test", "cluster": {"server": url, "certificate-authority": str(ca_file)}}
        ],
        "users": [{"name": "test", "user": user}],
        "contexts": [
            {"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}
        ],
        "current-context": "test",
    }
    path.write_text(json.dumps(config))
