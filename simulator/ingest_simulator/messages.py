"""RTSP/1.0 requests and answers as values (RFC 2326). Pure; bounded; says no by BadRequestError."""

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024
_MAX_HEADERS = 64
_REQUEST_LINE = re.compile(r"([A-Z_]{1,32}) (\S+) RTSP/1\.\d")
_TRACK = re.compile(r"trackID=(\d{1,3})")

REASONS = {
    200: "OK",
    301: "Moved Permanently",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    551: "Option not supported",
}


class BadRequestError(ValueError):
    """The bytes are no request that this server takes."""


class RefusedError(Exception):
    """A request that is answered with an error; the conversation goes on."""

    def __init__(self, status: int, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(status)
        self.status, self.headers = status, headers


class Method(enum.StrEnum):
    OPTIONS = "OPTIONS"
    DESCRIBE = "DESCRIBE"
    SETUP = "SETUP"
    PLAY = "PLAY"
    TEARDOWN = "TEARDOWN"
    GET_PARAMETER = "GET_PARAMETER"
    SET_PARAMETER = "SET_PARAMETER"


@dataclass(frozen=True, slots=True)
class Request:
    """headers: names in lower case; a repeated header keeps its first value."""

    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def sequence(self) -> str:
        return self.headers.get("cseq", "0")

    @property
    def body_length(self) -> int:
        """Raises BadRequestError."""
        text = self.headers.get("content-length", "0")
        if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_BODY)):
            raise BadRequestError("Content-Length")
        if int(text) > MAX_BODY:
            raise BadRequestError("body too long")
        return int(text)


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL asks for: /name[/fault][/trackID=n][?query]."""

    name: str
    track: int | None
    fault: str | None
    query: str


@dataclass(frozen=True, slots=True)
class TransportSpec:
    """One alternative of a Transport header. pair: channels if interleaved, else client ports."""

    interleaved: bool
    multicast: bool
    pair: tuple[int, int] | None


def parse_request(head: bytes) -> Request:
    """`head`: request line and headers. Raises BadRequestError."""
    try:
        lines = head.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadRequestError("not UTF-8") from error
    line = _REQUEST_LINE.fullmatch(lines[0]) if lines else None
    if line is None:
        raise BadRequestError("request line")
    headers: dict[str, str] = {}
    for text in lines[1:]:
        if not text:
            break
        name, colon, value = text.partition(":")
        if not colon or len(headers) >= _MAX_HEADERS:
            raise BadRequestError("header")
        headers.setdefault(name.strip().lower(), value.strip())
    return Request(line[1], line[2], headers)


def parse_target(url: str) -> Target:
    """Raises BadRequestError. Userinfo in the URL is of no use here and ignored."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise BadRequestError("URL") from error
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    track: int | None = None
    if segments and (found := _TRACK.fullmatch(segments[-1])):
        track = int(found[1])
        segments.pop()
    if len(segments) > 2:  # noqa: PLR2004 - name and fault
        raise BadRequestError("path")
    name, fault = (*segments, None, None)[:2]
    return Target(name or "", track, fault, parts.query)


def parse_transport(header: str) -> tuple[TransportSpec, ...]:
    """The alternatives in the client's order; what cannot be read is left out."""
    specs: list[TransportSpec] = []
    for alternative in header.split(",")[:16]:
        protocol, *parameters = (part.strip() for part in alternative.split(";"))
        if protocol.upper() not in {"RTP/AVP", "RTP/AVP/UDP", "RTP/AVP/TCP"}:
            continue
        options = dict(parameter.partition("=")[::2] for parameter in parameters)
        interleaved = protocol.upper().endswith("/TCP")
        specs.append(
            TransportSpec(
                interleaved=interleaved,
                multicast="multicast" in options,
                pair=_pair(options.get("interleaved" if interleaved else "client_port", "")),
            )
        )
    return tuple(specs)


def base(url: str) -> str:
    """The URL to which a track's name is added, without its query and last slash."""
    return url.partition("?")[0].rstrip("/")


def answer(
    status: int,
    sequence: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """The bytes of a response; Content-Length is added where there is a body."""
    lines = [f"RTSP/1.0 {status} {REASONS.get(status, 'Unknown')}", f"CSeq: {sequence}"]
    lines += (f"{name}: {value}" for name, value in headers)
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _pair(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    if found is None:
        return None
    first = int(found[1])
    second = int(found[2]) if found[2] else first + 1
    return (first, second) if max(first, second) <= 65535 else None  # noqa: PLR2004 - 16 bits
