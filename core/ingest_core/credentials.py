"""Credentials of a camera, and the one place where they meet a URL.

They are raw `username` and `password` fields everywhere else, percent-encoded once, here. A
`Credentials` prints as stars, so that no log line, traceback or f-string can show it.
"""

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

_USERINFO: Final = re.compile(r"(?<=://)[^\s/@]*(?:@[^\s/@]*)*@")


class Credentials(msgspec.Struct, frozen=True):
    """A login, raw: nothing in it is percent-encoded."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


def split_userinfo(url: str) -> tuple[str, Credentials | None]:
    """Take the userinfo out of a URL: `rtsp://u:p%40@h/x` → `rtsp://h/x` and `u`, `p@`.

    Raises:
        ValueError: The URL cannot be parsed; the message does not quote it.
    """
    try:
        parts = urlsplit(url)
        userinfo, at, host = parts.netloc.rpartition("@")
    except ValueError:
        raise ValueError("not a URL") from None
    if not at:
        return url, None
    username, _, password = userinfo.partition(":")
    bare = parts._replace(netloc=host).geturl()
    return bare, Credentials(unquote(username), unquote(password))


def join_userinfo(url: str, credentials: Credentials | None) -> str:
    """The URL as FFmpeg wants it, with the login percent-encoded. Never log the result."""
    if credentials is None:
        return url
    scheme, separator, rest = url.partition("://")
    username = quote(credentials.username, safe="")
    password = quote(credentials.password, safe="")
    return f"{scheme}{separator}{username}:{password}@{rest}"


def redact(text: str) -> str:
    """Blank the userinfo of every URL in a text: the second line of defence, for logs."""
    return _USERINFO.sub("***@", text) if "://" in text else text
