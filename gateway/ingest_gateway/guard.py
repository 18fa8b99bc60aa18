"""Keep other people's web pages out, which a browser within carries to a port that trusts it.

Two ways in, two rules. A page of another origin may not change anything. And where nobody but this
machine is listened to, a Host that is not this machine's is a name that a page had rebound to it.
"""

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from ingest_core.http import is_local
from ingest_core.problems import Handler

_SAFE: Final = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)


def guard(*, local: bool) -> Middleware:
    """A middleware within `problems`, which makes a 403 of what it refuses.

    Args:
        local: Nobody but this machine can reach the listening address.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get(hdrs.HOST, "").lower()
        origin = request.headers.get(hdrs.ORIGIN)
        if local and host and not _names_this_machine(host):
            raise web.HTTPForbidden(
                text="the Host of the request must be localhost or a loopback address, "
                "which is all that is listened to"
            )
        if request.method not in _SAFE and origin is not None and _place(origin) != host:
            raise web.HTTPForbidden(text="a web page of another origin must not change anything")
        return await handler(request)

    return guarded


@lru_cache(maxsize=64)
def _names_this_machine(host: str) -> bool:
    try:
        return is_local(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _place(origin: str) -> str | None:
    """Host and port of an origin; None: it is opaque."""
    return origin.partition("://")[2].lower() or None
