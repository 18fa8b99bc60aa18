"""The calls of the gateway as a table: what is served, documented and described is read from here.

Pure. `handler` is a name that `app` knows what answers for.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its method, the template of its path, its handler and what it is for."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    handler: str
    summary: str


CALLS: Final = (  # looked through in this order: what is called most stands first
    Call("GET", "/api/cameras/{id}/frame/latest", "latest_frame", "The latest frame as a JPEG"),
    Call("GET", "/", "index", "This list"),
    Call("POST", "/api/cameras", "create_camera", "Add a camera"),
    Call("GET", "/api/cameras", "list_cameras", "Every camera, with its live status"),
    Call("GET", "/api/cameras/{id}", "read_camera", "One camera, with its live status"),
    Call("PATCH", "/api/cameras/{id}", "patch_camera", "Change a camera (JSON merge patch)"),
    Call("DELETE", "/api/cameras/{id}", "delete_camera", "Remove a camera"),
    Call("GET", "/api/cameras/{id}/frames", "list_frames", "The frames that the ring holds"),
    Call("GET", "/api/cameras/{id}/frames/{sequence}", "read_frame", "One of them as a JPEG"),
    Call("POST", "/api/ingest/push/{id}", "push", "Push a frame of a camera"),
    Call("GET", "/metrics", "metrics", "Metrics, for Prometheus"),
    Call("GET", "/healthz", "health", "Is the process alive?"),
    Call("GET", "/readyz", "readiness", "Has the worker begun with its cameras?"),
)
