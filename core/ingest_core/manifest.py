"""Turn raw input into a Camera, or say which field breaks which rule.

The one edge where a manifest (a file, a request's body, an object of the API server) becomes a
type. Never quotes a value that may hold a credential.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from ingest_core.credentials import split_userinfo
from ingest_core.errors import InvalidManifest, Problem
from ingest_core.model import Camera, CameraSpec, Motion, RtspSource
from ingest_core.names import CAMERA_ID_PATTERN
from ingest_core.rules import explain, show

T = TypeVar("T")

_URL: Final = "spec.source.rtsp.url"
_PASSWORD: Final = re.compile(r"(pass(word|wd)?|pwd)=", re.IGNORECASE)
_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\]")


def parse(raw: object, type_: type[T], *, root: str = "", strict: bool = True) -> T:
    """Convert raw JSON or YAML values.

    Args:
        raw: What the decoder gave: dicts, lists, strings, numbers.
        type_: A msgspec type.
        root: Prefix of the field paths in problems.
        strict: False takes numbers and truths that are written as strings, as settings are.

    Raises:
        InvalidManifest: With the first field that breaks its rule.
    """
    try:
        return msgspec.convert(raw, type_, strict=strict)
    except msgspec.ValidationError as error:
        raise InvalidManifest(explain(str(error), raw, type_, root)) from None


def parse_camera(raw: object) -> Camera:
    """A whole manifest: its fields, then what they say together.

    Raises:
        InvalidManifest: With every problem that was found.
    """
    if not isinstance(raw, Mapping):
        raise InvalidManifest(Problem("(document)", show(raw), "must be a mapping"))
    missing = [field for field in ("apiVersion", "kind") if field not in raw]
    if missing:
        raise InvalidManifest(*(Problem(field, None, "is required") for field in missing))
    camera = parse(raw, Camera)
    problems = check_camera(camera)
    if problems:
        raise InvalidManifest(*problems)
    return camera


def check_camera(camera: Camera) -> list[Problem]:
    """What a camera's name and spec must hold together."""
    problems = check(camera.spec)
    if camera.spec.camera_id is None and not re.match(CAMERA_ID_PATTERN, camera.name):
        rule = "is too long to be the camera's id (63 characters): give spec.cameraId"
        problems.append(Problem("metadata.name", show(camera.name), rule))
    return problems


def check(spec: CameraSpec) -> list[Problem]:
    """What a spec's fields must hold together; the CRD says the same in CEL."""
    problems = _check_motion(spec.motion)
    if spec.camera_id in (".", ".."):
        rule = "must not be . or .., which no URL can name"
        problems.append(Problem("spec.cameraId", show(spec.camera_id), rule))
    source = spec.source
    if (source.rtsp is None) == (source.push is None):
        found = "neither" if source.rtsp is None else "both"
        problems.append(Problem("spec.source", found, "must have exactly one of rtsp, push"))
    elif source.rtsp is not None:
        problems += _check_rtsp(source.rtsp)
    return problems


def _check_rtsp(rtsp: RtspSource) -> list[Problem]:
    if any(ord(c) <= ord(" ") or ord(c) == 0x7F for c in rtsp.url):  # noqa: PLR2004 - DEL
        return [Problem(_URL, None, "must not hold spaces or control characters")]
    try:
        bare, credentials = split_userinfo(rtsp.url)
    except ValueError as error:
        return [Problem(_URL, None, str(error))]
    problems = []
    scheme = bare.partition(":")[0]
    if scheme not in ("rtsp", "rtsps"):
        problems.append(Problem(_URL, None, "scheme must be rtsp or rtsps"))
    if credentials is not None:
        rule = "must not hold a login: put it into a Secret and name it in credentialsSecretRef"
        problems.append(Problem(_URL, None, rule))
    if _PASSWORD.search(unquote(bare)):
        rule = "must not hold a password in its path or query, where everybody sees it"
        problems.append(Problem(_URL, None, rule))
    if not _names_a_host(bare):
        problems.append(Problem(_URL, None, "must name a host, and a port of 1 to 65535 if any"))
    if rtsp.tls is not None and scheme != "rtsps":
        problems.append(Problem("spec.source.rtsp.tls", None, "goes with an rtsps URL only"))
    return problems


def _names_a_host(bare: str) -> bool:
    try:
        parts = urlsplit(bare)
        port = parts.port
    except ValueError:
        return False
    digits = parts.netloc.rpartition(":")[2] if port is not None else ""
    host = parts.netloc.removesuffix(f":{digits}") if digits else parts.netloc
    return bool(_HOST.fullmatch(host)) and port != 0


def _check_motion(motion: Motion) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for index, mask in enumerate(motion.masks):
        if mask.name in seen:
            field = f"spec.motion.masks[{index}].name"
            problems.append(Problem(field, show(mask.name), "is the name of another mask"))
        seen.add(mask.name)
    return problems
