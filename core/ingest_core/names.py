"""Each name that the outside world sees, spelled once.

A label, key, header, channel or path that another program reads is a contract: it lives here, so
that renaming one is a visible decision. Metric names live in `metrics`.
"""

from typing import Final

DEFAULT_POOL: Final = "default"

CAMERA_ID_PATTERN: Final = r"^[A-Za-z0-9_.-]{1,63}\Z"
OBJECT_NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z"
SECRET_KEY_PATTERN: Final = r"^[-._a-zA-Z0-9]{1,253}\Z"

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
