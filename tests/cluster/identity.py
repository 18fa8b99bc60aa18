"""Service accounts with exactly the rules that they are given, and their real tokens."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.api_server import ApiServer, write_kubeconfig
from tests.cluster.client import Client

Rule = Mapping[str, Sequence[str]]  # as in a Role: apiGroups, resources, resourceNames, verbs

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Identity:
    """A service account of one namespace."""

    server: ApiServer
    namespace: str
    name: str

    @property
    def user(self) -> str:
        """What the audit log calls it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    def token(self, seconds: int = 3600, bound_to: str | None = None) -> str:
        """A token of the TokenRequest API.

        Args:
            seconds: Until it expires; the API takes no less than 600.
            bound_to: A Secret of the namespace: with it goes the token (the API server may
                believe in a token for 10 s more once it has seen it).
        """
        spec: dict[str, Any] = {"expirationSeconds": seconds}
        if bound_to is not None:
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Secret", "name": bound_to}
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{self.name}/token"
        return str(self.server.admin.post(path, {"spec": spec})["status"]["token"])

    def client(self) -> Client:
        """A client with a token of its own; the caller closes it."""
        return Client(self.server.url, self.server.ca_file, self.token())

    def write_token(self, file: Path, seconds: int = 3600, bound_to: str | None = None) -> None:
        """Replace the token in a file at one stroke, as a kubelet does."""
        part = file.with_suffix(".part")
        part.write_text(self.token(seconds, bound_to))
        part.rename(file)

    def kubeconfig(self, path: Path, *, token_file: Path | None = None, url: str = "") -> Path:
        """Write one, with a token in it or in a file that can be rotated.

        Args:
            path: What is written, and returned.
            token_file: Written too, if it is not there.
            url: Of a proxy; default: the API server's own.
        """
        if token_file is None:
            user = {"token": self.token()}
        else:
            user = {"tokenFile": str(token_file)}
            if not token_file.exists():
                self.write_token(token_file)
        where = (url or self.server.url, self.server.ca_file)
        write_kubeconfig(path, *where, user, self.namespace)
        return path


def service_account(
    server: ApiServer, namespace: str, name: str, rules: Sequence[Rule] = ()
) -> Identity:
    """Make one that may do what the rules say; returns when the API server knows it."""
    admin = server.admin
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    admin.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    made = Identity(server, namespace, name)
    if rules:
        path = f"/apis/{RBAC}/v1/namespaces/{namespace}"
        admin.post(f"{path}/roles", {"metadata": {"name": name}, "rules": rules})
        binding = {
            "metadata": {"name": name},
            "subjects": [account],
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
        }
        admin.post(f"{path}/rolebindings", binding)
        _await_allowed(admin, made, rules[0])
    return made


def _await_allowed(admin: Client, identity: Identity, rule: Rule) -> None:
    """The authorizer learns of roles by a watch: some milliseconds after they were made."""
    resource, _, subresource = rule["resources"][0].partition("/")
    asked = {
        "namespace": identity.namespace,
        "group": rule["apiGroups"][0],
        "resource": resource,
        "subresource": subresource,
        "verb": rule["verbs"][0],
        "name": next(iter(rule.get("resourceNames", ())), ""),
    }
    review = {"spec": {"user": identity.user, "resourceAttributes": asked}}
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = admin.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        if answer["status"]["allowed"]:
            return
        time.sleep(0.005)
    raise RuntimeError(f"{identity.user} was not given its role")
