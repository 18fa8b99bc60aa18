"""The Secret that the API makes for one camera: its name, its manifest, and how it is known. Pure.

Which Secret is a camera's own says an annotation that whoever may change the Camera can write. So a
name counts only if it is one that this program could have given to that camera: else it could be
made to delete any Secret, and to keep people from naming one.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from ingest_core import names
from ingest_core.model import Camera
from ingest_core.objects import secrets_of

TOKEN_BYTES: Final = 4
_TOKEN: Final = re.compile(r"[0-9a-f]{8}")
_KEPT: Final = 253 - len("-") - 2 * TOKEN_BYTES


def name_of(camera: str, token: str) -> str:
    """A name for a new Secret of a camera; `token` is TOKEN_BYTES in hex, from chance."""
    return f"{camera[:_KEPT].rstrip('-.')}-{token}"


def own_secret(camera: Camera) -> str | None:
    """The Secret that was made for this camera, if any."""
    annotations = camera.metadata.annotations or {}
    name = annotations.get(names.ANNOTATION_OWN_SECRET)
    before = name_of(camera.name, "")
    if not isinstance(name, str) or not name.startswith(before):
        return None
    return name if _TOKEN.fullmatch(name, len(before)) else None


def kept(camera: Camera) -> str | None:
    """The same, as long as the camera's spec names it."""
    name = own_secret(camera)
    return name if name in secrets_of(camera.spec) else None


def manifest(name: str, camera: Camera, values: Mapping[str, str]) -> dict[str, Any]:
    """The Secret, owned by its camera, so that it goes when the camera does."""
    owner = {
        "apiVersion": names.API_VERSION,
        "kind": camera.kind,
        "name": camera.name,
        "uid": camera.metadata.uid,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {names.LABEL_MANAGED_BY: names.APP},
            "ownerReferences": [owner],
        },
        "type": "Opaque",
        "stringData": dict(values),
    }
