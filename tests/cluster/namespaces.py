"""A namespace for a test, emptied and finalized by hand: there is no controller that would."""

import contextlib
from collections.abc import Iterator

import urllib3

from tests.cluster.client import Client, Refused

# What a watch or a cache could still be fed with; the rest is left to the end of the server.
EMPTIED = (
    "/apis/camera-ingest.io/v1alpha1/namespaces/{}/cameras",
    "/apis/camera-ingest.io/v1alpha1/namespaces/{}/camerapools",
    "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
)


@contextlib.contextmanager
def temporary_namespace(admin: Client) -> Iterator[str]:
    """A fresh namespace; removed at the end as well as that goes."""
    made = admin.post("/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
    name = str(made["metadata"]["name"])
    try:
        yield name
    finally:
        with contextlib.suppress(urllib3.exceptions.HTTPError, Refused):
            _remove(admin, name)


def _remove(admin: Client, name: str) -> None:
    for path in EMPTIED:
        with contextlib.suppress(Refused):  # not served: no CRD was installed
            admin.delete(path.format(name))
    gone = admin.delete(f"/api/v1/namespaces/{name}")
    gone["spec"]["finalizers"] = []
    admin.put(f"/api/v1/namespaces/{name}/finalize", gone)
