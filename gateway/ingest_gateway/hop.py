"""Headers that belong to one connection and never to the next (RFC 9110, 7.6.1). Pure."""

from typing import Final

from aiohttp import hdrs
from multidict import CIMultiDict, MultiMapping

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OF_REQUEST: Final = frozenset({"host", "expect", "content-length"})  # said anew, where they apply


def of_request(headers: MultiMapping[str], length: int | None) -> CIMultiDict[str]:
    """What a request's next hop is told; `length` is that of a body, if one goes with it."""
    passed = _passed(headers, _OF_REQUEST)
    if length is not None:
        passed[hdrs.CONTENT_LENGTH] = str(length)
    return passed


def of_answer(headers: MultiMapping[str]) -> CIMultiDict[str]:
    """What an answer's next hop is told."""
    return _passed(headers, frozenset())


def _passed(headers: MultiMapping[str], besides: frozenset[str]) -> CIMultiDict[str]:
    named = {
        name.strip().lower()
        for value in headers.getall(hdrs.CONNECTION, [])
        for name in value.split(",")
    }
    left = _HOP_BY_HOP | besides | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left)
