"""Names of the objects that the API makes for a camera, and the way from its spec to them. Pure.

An id of the HTTP API need not be the name of an object: `cam_001` is not. The name is derived, the
id stays in `spec.cameraId`.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec.structs import replace

from ingest_core.errors import Problem
from ingest_core.model import CameraSpec, CredentialsRef, SecretRef

USERNAME: Final = "username"
PASSWORD: Final = "password"
TOKEN: Final = "token"

_AUTHORITY: Final = "spec.source.rtsp.tls.caSecretRef.name"  # public, and sent to nobody
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_KEPT: Final = 50
_HASH: Final = 10  # hex digits: 2^40 ids for one that is taken already


def object_name(camera_id: str) -> str:
    """The name of the object of a camera: `lobby` → `lobby`, `cam_001` → `cam-001-<hash>`.

    An id that is a DNS label stays; any other gets a hash of itself, so that `Cam.1` and `cam_1`
    do not meet. At most 63 characters, without a dot.
    """
    if _LABEL.fullmatch(camera_id):
        return camera_id
    readable = _OTHER.sub("-", camera_id.lower())[:_KEPT].strip("-") or "camera"
    return f"{readable}-{hashlib.sha256(camera_id.encode()).hexdigest()[:_HASH]}"


def referring(spec: CameraSpec, secret: str, keys: Collection[str]) -> CameraSpec:
    """Point a spec at the Secret that holds its camera's own login, or token, under these keys."""
    source = spec.source
    if source.rtsp is not None and USERNAME in keys and PASSWORD in keys:
        rtsp = replace(source.rtsp, credentials_secret_ref=CredentialsRef(name=secret))
        return replace(spec, source=replace(source, rtsp=rtsp))
    if source.push is not None and TOKEN in keys:
        push = replace(source.push, token_secret_ref=SecretRef(name=secret, key=TOKEN))
        return replace(spec, source=replace(source, push=push))
    return spec


def secrets_of(spec: CameraSpec) -> frozenset[str]:
    """Names of the Secrets that a spec names."""
    return frozenset(_references(spec).values())


def borrowed(spec: CameraSpec, own: AbstractSet[str], made: Collection[str]) -> list[Problem]:
    """What is wrong with a spec that names a Secret which was made for another camera.

    Whoever may add a camera could otherwise have the login of any other sent to a host of theirs.

    Args:
        spec: What somebody asks for over the API.
        own: Secrets that the camera names already.
        made: Every Secret that was made by the API, each for one camera.
    """
    rule = "is the login or token of another camera: give this one its own"
    return [
        Problem(field, None, rule)
        for field, name in _references(spec).items()
        if name in made and name not in own
    ]


def foreign(spec: CameraSpec, own: AbstractSet[str]) -> list[Problem]:
    """What is wrong with a spec of somebody who may add cameras, and need not may read Secrets.

    A worker would send what such a Secret holds to whichever host the spec names.

    Args:
        spec: What somebody asks for over the API.
        own: Secrets that the camera names already.
    """
    rule = "names a Secret: over HTTP give the login itself; who may read Secrets uses kubectl"
    return [
        Problem(field, None, rule)
        for field, name in _references(spec).items()
        if name not in own and field != _AUTHORITY
    ]


def _references(spec: CameraSpec) -> Mapping[str, str]:
    """Names of the Secrets that a spec names, by field."""
    rtsp, push = spec.source.rtsp, spec.source.push
    references = {
        "spec.source.rtsp.credentialsSecretRef.name": rtsp and rtsp.credentials_secret_ref,
        _AUTHORITY: rtsp and rtsp.tls and rtsp.tls.ca_secret_ref,
        "spec.source.push.tokenSecretRef.name": push and push.token_secret_ref,
    }
    return {field: reference.name for field, reference in references.items() if reference}
