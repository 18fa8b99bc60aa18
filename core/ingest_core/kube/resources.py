"""The resources that we read or write, and their paths in the API. Pure."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from ingest_core import names


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object; every one of ours lives in a namespace."""

    kind: str
    plural: str
    version: str
    group: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Path of the collection, or of one object, or of a part of it.

        Raises:
            ValueError: A name that means another place: the server reads a quoted slash as one.
        """
        if any(part in (".", "..") or "/" in part for part in (namespace, name)):
            raise ValueError("no object is named . or .. or with a slash")
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = [root, self.version, "namespaces", quote(namespace, safe=""), self.plural]
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class Served(Resource):
    """What an API server serves of a group, of which CRDs are known a moment before."""

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Path of the list of its resources, which is in no namespace."""
        del namespace, name, subresource
        return f"/apis/{self.api_version}"


CAMERAS: Final = Resource("Camera", "cameras", "v1alpha1", names.API_GROUP)
POOLS: Final = Resource("CameraPool", "camerapools", "v1alpha1", names.API_GROUP)
LEASES: Final = Resource("Lease", "leases", "v1", "coordination.k8s.io")
PODS: Final = Resource("Pod", "pods", "v1")
SECRETS: Final = Resource("Secret", "secrets", "v1")
SERVICES: Final = Resource("Service", "services", "v1")
SERVICE_ACCOUNTS: Final = Resource("ServiceAccount", "serviceaccounts", "v1")
EVENTS: Final = Resource("Event", "events", "v1")
STATEFUL_SETS: Final = Resource("StatefulSet", "statefulsets", "v1", "apps")
DISRUPTION_BUDGETS: Final = Resource("PodDisruptionBudget", "poddisruptionbudgets", "v1", "policy")
ROLES: Final = Resource("Role", "roles", "v1", "rbac.authorization.k8s.io")
ROLE_BINDINGS: Final = Resource("RoleBinding", "rolebindings", "v1", "rbac.authorization.k8s.io")
SERVED: Final = Served("APIResourceList", "apiresources", "v1alpha1", names.API_GROUP)
