"""Each name that the outside world sees, spelled once.

A label, key, header, channel or path that another program reads is a contract: it lives here, so
that renaming one is a visible decision. Metric names live in `metrics`.
"""

from typing import Final

DEFAULT_POOL: Final = "default"

CAMERA_ID_PATTERN: Final = r"^[A-Za-z0-9_.-]{1,63}\Z"
OBJECT_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z"
WORKER_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?\Z"
POOL_NAME_PATTERN: Final = r"^[a-z]([-a-z0-9]{0,50}[a-z0-9])?\Z"
NAMESPACE_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"
SECRET_KEY_PATTERN: Final = r"^[-._a-zA-Z0-9]{1,253}\Z"
LOGIN_PATTERN: Final = r"^[^\x00-\x1f\x7f]*\Z"
TOKEN_PATTERN: Final = r"^[!-~]+\Z"

REDIS_STREAM: Final = "camera-events"


def redis_channel(camera_id: str) -> str:
    """Pub/Sub channel of every event of one camera."""
    return f"camera:{camera_id}"


def redis_state_key(camera_id: str) -> str:
    """Key of the last state event of one camera; expires."""
    return f"camera:{camera_id}:state"


def event_source(worker: str, incarnation: int) -> str:
    """CloudEvents `source`: the worker and the start of its process in Unix milliseconds."""
    return f"camera-ingest/{worker}/{incarnation}"


HEADER_TIMESTAMP: Final = "X-Frame-Timestamp"  # capture time of a served frame, Unix seconds
HEADER_SEQUENCE: Final = "X-Frame-Sequence"
HEADER_PUSH_TIMESTAMP: Final = "X-Timestamp"  # capture time that a pushing device claims

ENV_PREFIX: Final = "CAMERA_INGEST_"

API_GROUP: Final = "camera-ingest.io"
API_VERSION: Final = "camera-ingest.io/v1alpha1"

OPERATOR_MANAGER: Final = "camera-ingest-operator"  # field managers, one per writer of a status
UNREADY_MANAGER: Final = "camera-ingest-operator-unready"  # of Ready, while nobody captures it
WORKER_MANAGER: Final = "camera-ingest-worker"
RELEASE_MANAGER: Final = "camera-ingest-worker-release"  # of stream.releasedEpoch alone
GATEWAY_MANAGER: Final = "camera-ingest-gateway"

OPERATOR_LEASE: Final = "camera-ingest-operator"

LABEL_POOL: Final = "camera-ingest.io/pool"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
APP: Final = "camera-ingest"
WORKER: Final = "worker"

ANNOTATION_DRAINING: Final = "camera-ingest.io/draining"  # on a worker's Lease: takes nothing new
ANNOTATION_SETTLING: Final = "camera-ingest.io/settling"  # on it: for how long another may act yet
ANNOTATION_HOLDING: Final = "camera-ingest.io/holding"  # on it: what a successor goes on with
ANNOTATION_VERSION: Final = "camera-ingest.io/version"  # on a CRD: the release that it is of
ANNOTATION_OWN_SECRET: Final = "camera-ingest.io/own-secret"  # on a Camera: made with it by the API

HTTP_PORT: Final = "http"  # name of the port of a worker's pod that serves the frame API
WORKER_PORT: Final = 8080

SELECT_WORKER: Final = "status.assignment.worker"  # selectable fields of a Camera
SELECT_PREVIOUS: Final = "status.assignment.previous"
