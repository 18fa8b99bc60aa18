"""Manifests of Cameras that keep a rule and that break one: for `parse_camera` and the API server.

One table for both, so that standalone and cluster accept and refuse the same. Where they do not is
in `manifest_differences`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

SECRET: Final = "hunter2"
RTSP: Final = "spec.source.rtsp"
URL: Final = f"{RTSP}.url"
LOGIN_REF: Final = f"{RTSP}.credentialsSecretRef"
PUSH: Final = "spec.source.push"
TOKEN_REF: Final = f"{PUSH}.tokenSecretRef"
MASKS: Final = "spec.motion.masks"
POINT: Final = {"xPermille": 0, "yPermille": 1000}


@dataclass(frozen=True, slots=True)
class Bad:
    """A valid manifest with one field set, or taken out with `...`, which breaks one rule.

    Attributes:
        path: Of the field; under spec.source.push, the manifest is one of a push camera.
        value: What it is set to.
        field: The one that is to blame.
        shown: The value as the problem shows it.
        rule: What `parse_camera` says of it, or a part of that.
        server: What the API server says of it, or a part of that.
        server_field: The field that the API server blames, if it is another one.
    """

    path: str
    value: object
    field: str
    shown: str | None
    rule: str
    server: str
    server_field: str | None = None


def manifest(path: str = "", value: object = None) -> dict[str, Any]:
    """A valid manifest with one field set, or taken out with `...`."""
    push = path.startswith(f"{PUSH}.")
    raw: dict[str, Any] = {
        "apiVersion": "camera-ingest.io/v1alpha1",
        "kind": "Camera",
        "metadata": {"name": "lobby"},
        "spec": {"source": {"push": {}} if push else {"rtsp": {"url": "rtsps://10.0.0.7/x"}}},
    }
    *parents, last = path.split(".")
    here = raw
    for name in parents:
        here = here.setdefault(name, {})
    if value is ...:
        del here[last]
    elif path:
        here[last] = value
    return raw


def mask(**changed: object) -> list[dict[str, object]]:
    return [{"name": "tree", "polygon": [POINT] * 3, **changed}]


def most_masks() -> list[dict[str, object]]:
    polygon = [{"xPermille": 1000, "yPermille": 1000}] * 32
    return [{"name": f"{number:063}", "polygon": polygon} for number in range(16)]


GOOD: Final[Sequence[tuple[str, object]]] = (
    ("metadata.name", "a"),
    ("metadata.name", "lobby-2.north"),
    ("metadata.name", "x" * 63),
    ("metadata.labels", {"a": "b"}),
    ("metadata.annotations", {"a": "b"}),
    ("metadata.managedFields", []),
    ("spec.cameraId", "cam_001.A-z"),
    ("spec.cameraId", "x" * 63),
    ("spec.cameraId", "..."),
    ("spec.cameraId", "-"),
    ("spec.poolRef", {"name": "big"}),
    ("spec.poolRef", {}),
    ("spec.source", {"rtsp": None, "push": {}}),
    (URL, "rtsp://h"),
    (URL, "rtsp://camera"),
    (URL, "RTSP://Camera.Local:0554/"),
    (URL, "rtsp://cam_1.local:554/a/b?c=d&e=%40"),
    (URL, "rtsp://a_?x#y"),
    (URL, "rtsp://h./é/\u0080"),
    (URL, "rtsp://[fe80::1]:65535/x"),
    (URL, "rtsp://[::]"),
    (URL, "rtsp://[1:2:3:4:5:6:7::]/x"),
    (URL, "rtsp://h//x//y[z]://w"),
    (URL, "rtsp://h/user=admin&channel=1&token=x&passe=y&pwd&past=z"),
    (URL, "rtsp://h/?%2570assword%3D"),  # decoded once: a %70 in words
    (URL, "rtsp://h/" + "x" * 2039),
    (URL, "rtsp://h/" + "é" * 2039),  # characters, not bytes
    (f"{RTSP}.transport", "UDP"),
    (f"{RTSP}.session", "Exclusive"),
    (LOGIN_REF, {"name": "login"}),
    (LOGIN_REF, {"name": "login", "usernameKey": "u", "passwordKey": "p"}),
    (LOGIN_REF, {"name": "l" * 253, "usernameKey": "u" * 253}),
    (f"{RTSP}.tls", {}),
    (f"{RTSP}.tls", {"insecureSkipVerify": True}),
    (f"{RTSP}.tls", {"caSecretRef": {"name": "ca", "key": "ca.crt"}}),
    (f"{RTSP}.connectTimeoutSeconds", 300),
    (f"{RTSP}.stallTimeoutSeconds", 1),
    (TOKEN_REF, {"name": "t", "key": "token"}),
    (f"{PUSH}.maxFrameBytes", 1024),
    (f"{PUSH}.maxFrameBytes", 33554432),
    (f"{PUSH}.maxFPS", 1),
    (f"{PUSH}.maxFPS", 120),
    ("spec.decode", "Keyframes"),
    ("spec.buffer", {"seconds": 300, "maxBytes": 65536}),
    ("spec.buffer", {"seconds": 1, "maxBytes": 1073741824}),
    ("spec.motion", {"enabled": False, "sensitivity": 0, "minAreaPermille": 1}),
    ("spec.motion", {"sensitivity": 100, "minAreaPermille": 500, "cooldownSeconds": 3600}),
    (MASKS, []),
    (MASKS, mask()),
    (MASKS, most_masks()),
    ("spec.weight", 1),
    ("spec.weight", 64000),
    ("spec.suspend", True),
)

_REQUIRED: Final = "Required value"
_UNKNOWN: Final = "unknown field"
_NAME: Final = "must be 1 to 253 of the characters a-z 0-9 - . and begin and end with"
_KEY: Final = "must be 1 to 253 of the characters A-Z a-z 0-9 _ . -"
_AT_LEAST: Final = "should be greater than or equal to"
_AT_MOST: Final = "should be less than or equal to"
_HOST: Final = "must name a host, and a port of 1 to 65535 if any"
_SCHEME: Final = "its scheme must be rtsp or rtsps"
_BLANKS: Final = "must not hold spaces or control characters"
_LOGIN: Final = "must not hold a login: put it into a Secret and name it in credentialsSecretRef"
_LATE_AT: Final = "must not have an @ after the host"
_PASSWORD: Final = "must not hold a password in its path or query, where everybody sees it"


def _url(url: object, rule: str, server: str) -> Bad:
    """Of a URL nothing is ever shown: it may hold a login."""
    return Bad(URL, url, URL, None, rule, server)


def _number(path: str, least: int, most: int) -> Sequence[Bad]:
    """One below the least, and one above the most."""
    low, high = least - 1, most + 1
    return (
        Bad(path, low, path, str(low), f"must be >= {least}", f"{_AT_LEAST} {least}"),
        Bad(path, high, path, str(high), f"must be <= {most}", f"{_AT_MOST} {most}"),
    )


_URLS: Final[Sequence[Bad]] = (
    Bad(URL, ..., URL, None, "is required", _REQUIRED),
    _url(5, "must be a string, not a whole number", 'must be of type string: "integer"'),
    _url("rtsp", "must be of length >= 8", "must be of at least 8 characters"),
    _url("u:p@h/x", "must be of length >= 8", "must be of at least 8 characters"),
    _url(
        "rtsp://h/" + "x" * 2040, "must be of length <= 2048", "Too long: may not be more than 20"
    ),
    _url(f"rtsp://u:{SECRET}@h/" + "x" * 2040, "must be of length <= 2048", "Too long"),
    _url("camera.local/x", "must be a URL", _SCHEME),
    _url(f"u:{SECRET}@camera/x", "must be a URL", _SCHEME),
    _url("http://camera/x", "scheme must be rtsp or rtsps", _SCHEME),
    _url("rtspx://camera/x", "scheme must be rtsp or rtsps", _SCHEME),
    _url("file://h/etc/passwd", "scheme must be", _SCHEME),
    _url("rtsp:///x/y/z", _HOST, _HOST),
    _url("rtsp://:554/", _HOST, _HOST),
    _url("rtsp://h:/x", _HOST, _HOST),
    _url("rtsp://h:0/x", _HOST, _HOST),
    _url("rtsp://h:000/x", _HOST, _HOST),
    _url("rtsp://h:65536/", _HOST, _HOST),
    _url("rtsp://h:123456/", _HOST, _HOST),
    _url("rtsp://h:5x/", _HOST, _HOST),
    _url("rtsp://h:1:2/", _HOST, _HOST),
    _url("rtsp://h:-1/", _HOST, _HOST),
    _url("rtsp://[::1/x", _HOST, _HOST),
    _url("rtsp://::1]/x", _HOST, _HOST),
    _url("rtsp://::1/xyz", _HOST, _HOST),
    _url("rtsp://[]/xyz", _HOST, _HOST),
    _url("rtsp://[fe80::zz]/x", _HOST, _HOST),
    _url("rtsp://[fe80::1%25eth0]/", _HOST, _HOST),
    _url("rtsp://a,b/x/y", _HOST, _HOST),
    _url("rtsp://-a/x/y", _HOST, _HOST),
    _url("rtsp://a-/x/y", _HOST, _HOST),
    _url("rtsp://münchen/x", _HOST, _HOST),
    _url("rtsp://h\\x/y", _HOST, _HOST),
    _url("rtsp://h/x y", _BLANKS, _BLANKS),
    _url(" rtsp://h/x", _BLANKS, _BLANKS),
    _url("rtsp://h/x\n", _BLANKS, _BLANKS),
    _url("rtsp://h/x\x00", _BLANKS, _BLANKS),
    _url("rtsp://h/x\x7f", _BLANKS, _BLANKS),
    _url(f"rtsp://u:{SECRET}@h/x", _LOGIN, _LOGIN),
    _url(f"rtsps://{SECRET}@h/x", _LOGIN, _LOGIN),
    _url("rtsp://@h/x", _LOGIN, _LOGIN),
    _url("rtsp://:@h/x", _LOGIN, _LOGIN),
    _url(f"rtsp://u:@{SECRET}@h/x", _LOGIN, _LOGIN),
    _url(f"rtsp://u:1/{SECRET}@h/x", _LATE_AT, _LATE_AT),
    _url(f"rtsp://u:1?{SECRET}@h/x", _LATE_AT, _LATE_AT),
    _url(f"rtsp://u:1#{SECRET}@h/x", _LATE_AT, _LATE_AT),
    _url(f"rtsp://h/user=admin&password={SECRET}&channel=1", _PASSWORD, _PASSWORD),
    _url(f"rtsp://h/x?user=admin&PWD={SECRET}", _PASSWORD, _PASSWORD),
    _url(f"rtsp://h/x?passwd={SECRET}", _PASSWORD, _PASSWORD),
    _url(f"rtsp://h/x?Pass={SECRET}", _PASSWORD, _PASSWORD),
    _url(f"rtsp://h/x?p%61ssword%3D{SECRET}", _PASSWORD, _PASSWORD),
    _url(f"rtsp://h/x?%50%57%64%3d{SECRET}", _PASSWORD, _PASSWORD),
    _url(f"rtsp://h/x?%70%61%73%73%77%6f%72%64={SECRET}", _PASSWORD, _PASSWORD),
    _url(f"rtsp://h/x?%%70assword={SECRET}", _PASSWORD, _PASSWORD),
    _url(f"rtsp://h/x?pa\u017fsword={SECRET}", _PASSWORD, _PASSWORD),  # a long s is an s to both
)

BAD: Final[Sequence[Bad]] = (
    Bad("apiVersion", ..., "apiVersion", None, "is required", "does not match", "API version"),
    Bad("kind", ..., "kind", None, "is required", "is missing", "'Kind'"),
    Bad(
        "apiVersion",
        "v1",
        "apiVersion",
        '"v1"',
        "must be one of camera-ingest.io/v1alpha1",
        "does not match the expected API version (camera-ingest.io/v1alpha1)",
        "API version",
    ),
    Bad("kind", "Pod", "kind", '"Pod"', "must be one of Camera", "must be Camera"),
    Bad("colour", 1, "colour", None, "there is no such field", _UNKNOWN),
    Bad("metadata", ..., "metadata", None, "is required", _REQUIRED),
    Bad("metadata.name", ..., "metadata.name", None, "is required", _REQUIRED),
    Bad("metadata.name", "Lobby", "metadata.name", '"Lobby"', "must be 1 to 253 of", "RFC 1123"),
    Bad("metadata.name", "a\n", "metadata.name", '"a\\n"', "must be 1 to 253 of", "RFC 1123"),
    Bad("metadata.name", "a/b", "metadata.name", '"a/b"', "must be 1 to 253 of", "RFC 1123"),
    Bad(
        "metadata.name",
        "x" * 64,
        "metadata.name",
        f'"{"x" * 64}"',
        "give spec.cameraId",
        "must be given when metadata.name, which is the id otherwise, is longer than 63",
        "spec.cameraId",
    ),
    Bad(
        "metadata.labels",
        {"a": 1},
        "metadata.labels[...]",
        None,
        "must be a string",
        "of type string",
        "ObjectMeta.labels",
    ),
    Bad("spec", ..., "spec", None, "is required", _REQUIRED),
    Bad("spec.colour", 1, "spec.colour", None, "there is no such field", _UNKNOWN),
    Bad("spec.cameraId", "", "spec.cameraId", '""', "must be 1 to 63 of", "should match '^[A-Za-"),
    Bad(
        "spec.cameraId", "c 1", "spec.cameraId", '"c 1"', "must be 1 to 63 of", "should match '^[A"
    ),
    Bad(
        "spec.cameraId", "c\n", "spec.cameraId", '"c\\n"', "must be 1 to 63 of", "should match '^["
    ),
    Bad(
        "spec.cameraId",
        "x" * 64,
        "spec.cameraId",
        f'"{"x" * 64}"',
        "must be 1 to 63 of",
        "Too long: may not be more than 63",
    ),
    Bad("spec.cameraId", ".", "spec.cameraId", '"."', "no URL can name", "must not be . or .."),
    Bad("spec.cameraId", "..", "spec.cameraId", '".."', "no URL can name", "must not be . or .."),
    Bad("spec.poolRef", {"name": "A"}, "spec.poolRef.name", '"A"', "must be 1 to 253 of", "should"),
    Bad("spec.poolRef", {"colour": 1}, "spec.poolRef.colour", None, "no such field", _UNKNOWN),
    Bad("spec.source", ..., "spec.source", None, "is required", _REQUIRED),
    Bad("spec.source", {}, "spec.source", "neither", "must have exactly one of", "exactly one of"),
    Bad(
        "spec.source.push", {}, "spec.source", "both", "must have exactly one of", "exactly one of"
    ),
    *_URLS,
    Bad(
        f"{RTSP}.transport",
        "SCTP",
        f"{RTSP}.transport",
        '"SCTP"',
        "must be one of TCP, UDP",
        'supported values: "TCP", "UDP"',
    ),
    Bad(
        f"{RTSP}.session",
        "Own",
        f"{RTSP}.session",
        '"Own"',
        "must be one of Exclusive, Shared",
        'supported values: "Shared", "Exclusive"',
    ),
    Bad(f"{RTSP}.password", SECRET, f"{RTSP}.password", None, "there is no such field", _UNKNOWN),
    *(
        Bad(LOGIN_REF, value, f"{LOGIN_REF}.{field}", None, rule, server)
        for value, field, rule, server in (
            ({}, "name", "is required", _REQUIRED),
            ({"name": SECRET.upper()}, "name", _NAME, f"Forbidden: {_NAME}"),
            ({"name": ""}, "name", _NAME, f"Forbidden: {_NAME}"),
            ({"name": "x" * 254}, "name", _NAME, "Too long"),
            ({"name": "l", "usernameKey": f"{SECRET}:"}, "usernameKey", _KEY, f"Forbidden: {_KEY}"),
            ({"name": "l", "passwordKey": f"{SECRET}!"}, "passwordKey", _KEY, f"Forbidden: {_KEY}"),
            ({"name": "l", "password": SECRET}, "password", "no such field", _UNKNOWN),
        )
    ),
    *(
        Bad(f"{RTSP}.tls", {"caSecretRef": value}, f"{RTSP}.tls.caSecretRef.{field}", *said)
        for value, field, said in (
            ({"name": "ca", "key": ""}, "key", (None, _KEY, f"Forbidden: {_KEY}")),
            ({"name": "-", "key": "ca"}, "name", (None, _NAME, f"Forbidden: {_NAME}")),
        )
    ),
    Bad(
        "spec.source",
        {"rtsp": {"url": "rtsp://h/x", "tls": {}}},
        f"{RTSP}.tls",
        None,
        "goes with an rtsps URL only",
        "Forbidden: goes with an rtsps URL only",
    ),
    *_number(f"{RTSP}.connectTimeoutSeconds", 1, 300),
    *_number(f"{RTSP}.stallTimeoutSeconds", 1, 300),
    *_number(f"{PUSH}.maxFrameBytes", 1024, 33554432),
    *_number(f"{PUSH}.maxFPS", 1, 120),
    *(
        Bad(TOKEN_REF, value, f"{TOKEN_REF}.{field}", None, rule, server)
        for value, field, rule, server in (
            ({"name": "t"}, "key", "is required", _REQUIRED),
            ({"name": "t", "key": f"{SECRET}/"}, "key", _KEY, f"Forbidden: {_KEY}"),
            ({"name": f"{SECRET}/", "key": "t"}, "name", _NAME, f"Forbidden: {_NAME}"),
        )
    ),
    Bad(
        "spec.decode", "Some", "spec.decode", '"Some"', "must be one of All, Keyframes", "supported"
    ),
    *_number("spec.buffer.seconds", 1, 300),
    *_number("spec.buffer.maxBytes", 65536, 1073741824),
    *_number("spec.motion.sensitivity", 0, 100),
    *_number("spec.motion.minAreaPermille", 1, 500),
    *_number("spec.motion.cooldownSeconds", 1, 3600),
    Bad(MASKS, mask(name=""), f"{MASKS}[0].name", None, "of length >= 1", "at least 1 chars long"),
    Bad(MASKS, mask(name="x" * 64), f"{MASKS}[0].name", None, "of length <= 63", "Too long"),
    Bad(
        MASKS,
        mask() * 2,
        f"{MASKS}[1].name",
        '"tree"',
        "is the name of another mask",
        'Duplicate value: {"name":"tree"}',
        f"{MASKS}[1]",
    ),
    Bad(MASKS, [*most_masks(), *mask()], MASKS, None, "of length <= 16", "must have at most 16"),
    Bad(MASKS, [{"polygon": [POINT] * 3}], f"{MASKS}[0].name", None, "is required", _REQUIRED),
    Bad(MASKS, [{"name": "tree"}], f"{MASKS}[0].polygon", None, "is required", _REQUIRED),
    *(
        Bad(MASKS, mask(polygon=polygon), f"{MASKS}[0].polygon{field}", shown, rule, server)
        for polygon, field, shown, rule, server in (
            ([POINT] * 2, "", None, "of length >= 3", "should have at least 3 items"),
            ([POINT] * 33, "", None, "of length <= 32", "must have at most 32 items"),
            ([{"xPermille": 1}] * 3, "[0].yPermille", None, "is required", _REQUIRED),
            (
                [POINT, POINT, {"xPermille": 1001, "yPermille": 0}],
                "[2].xPermille",
                "1001",
                "must be <= 1000",
                f"{_AT_MOST} 1000",
            ),
            (
                [POINT, POINT, {"xPermille": 0, "yPermille": -1}],
                "[2].yPermille",
                "-1",
                "must be >= 0",
                f"{_AT_LEAST} 0",
            ),
        )
    ),
    *_number("spec.weight", 1, 64000),
    Bad("spec.weight", "100", "spec.weight", None, "not a string", 'of type integer: "string"'),
    Bad("spec.weight", 1.5, "spec.weight", None, "not a number", 'of type integer: "number"'),
    Bad("spec.suspend", "no", "spec.suspend", None, "not a string", 'of type boolean: "string"'),
)
