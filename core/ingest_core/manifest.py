"""Turn raw input into a Camera, or say which field breaks which rule.

The one edge where a manifest (a file, a request's body, an object of the API server) becomes a
type. Never quotes a value that may hold a credential.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from ingest_core.credentials import split_userinfo
from ingest_core.errors import InvalidManifest, Problem
from ingest_core.model import Camera, CameraSpec, RtspSource

T = TypeVar("T")

_AT: Final = re.compile(r"(?P<rule>.*?) - at `(?:key in )?\$(?P<path>[^`]*)`$", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_SHOWN: Final = 80
_SECRET_FIELDS: Final = ("url", "source_url", "password", "token", "username")


def parse(raw: object, type_: type[T], *, root: str = "") -> T:
    """Convert raw JSON or YAML values.

    Args:
        raw: What the decoder gave: dicts, lists, strings, numbers.
        type_: A msgspec type.
        root: Prefix of the field paths in problems.

    Raises:
        InvalidManifest: With the first field that breaks its rule.
    """
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError as error:
        raise InvalidManifest(_problem(str(error), raw, root)) from None


def parse_camera(raw: object) -> Camera:
    """A whole manifest: its fields, then what they say together.

    Raises:
        InvalidManifest: With every problem that was found.
    """
    if not isinstance(raw, Mapping):
        raise InvalidManifest(Problem("(document)", _show(raw), "must be a mapping"))
    camera = parse(raw, Camera)
    problems = check(camera.spec)
    if problems:
        raise InvalidManifest(*problems)
    return camera


def check(spec: CameraSpec) -> list[Problem]:
    """What a spec's fields must hold together; the CRD says the same in CEL."""
    source = spec.source
    if (source.rtsp is None) == (source.push is None):
        found = "neither" if source.rtsp is None else "both"
        return [Problem("spec.source", found, "must have exactly one of rtsp, push")]
    return [] if source.rtsp is None else _check_rtsp(source.rtsp)


def _check_rtsp(rtsp: RtspSource) -> list[Problem]:
    url = "spec.source.rtsp.url"
    try:
        bare, credentials = split_userinfo(rtsp.url)
        parts = urlsplit(bare)
        host, port = parts.hostname, parts.port
    except ValueError:
        return [Problem(url, None, "must be a URL: rtsp://HOST[:PORT]/PATH")]
    problems = []
    if parts.scheme not in ("rtsp", "rtsps"):
        problems.append(Problem(url, _show(parts.scheme), "scheme must be rtsp or rtsps"))
    if credentials is not None:
        rule = "must not hold a login: put it into a Secret and name it in credentialsSecretRef"
        problems.append(Problem(url, None, rule))
    if not host or port == 0:
        problems.append(Problem(url, None, "must name a host, and a port of 1 to 65535 if any"))
    if any(ord(c) <= ord(" ") or ord(c) == 0x7F for c in rtsp.url):  # noqa: PLR2004 - DEL
        problems.append(Problem(url, None, "must not hold spaces or control characters"))
    if rtsp.tls is not None and parts.scheme != "rtsps":
        problems.append(Problem("spec.source.rtsp.tls", None, "goes with an rtsps URL only"))
    return problems


def _problem(message: str, raw: object, root: str) -> Problem:
    found = _AT.match(message)
    path = found["path"] if found else ""
    rule = found["rule"] if found else message
    value, known = _value_at(raw, path)
    last = path.rpartition(".")[2]
    shown = _show(value) if known and last not in _SECRET_FIELDS else None
    if "unknown field" in rule or "missing required" in rule:
        shown = None  # the rule names the field; the whole object around it is noise
    return Problem((root + path).lstrip(".") or "(document)", shown, rule)


def _value_at(raw: Any, path: str) -> tuple[object, bool]:
    for name, index in _STEP.findall(path):
        try:
            raw = raw[name] if name else raw[int(index)]
        except (KeyError, IndexError, TypeError):
            return None, False
    return raw, True


def _show(value: object) -> str:
    try:
        text = json.dumps(value, default=lambda other: type(other).__name__)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
