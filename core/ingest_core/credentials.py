"""Credentials of a camera, and the one place where they meet a URL.

They are raw `username` and `password` fields everywhere else, percent-encoded once, here. A
`Credentials` prints as stars, so that no log line, traceback or f-string can show it.
"""

import re
from typing import Final
from urllib.parse import quote, unquote

import msgspec

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL
)
_USERINFO: Final = re.compile(r"(?<=://).*@")  # to the line's last @: too much, not too little

_PLAIN: Final = "!\"$&'()*+,-.;<=>\\^_`{|}~"  # printable, and without a meaning in a URL's userinfo

MAX_LOGIN_BYTES: Final = 127


class Credentials(msgspec.Struct, frozen=True):
    """A login, raw: nothing in it is percent-encoded."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


def split_userinfo(url: str) -> tuple[str, Credentials | None]:
    """Take the userinfo out of a URL: `rtsp://u:p%40@h/x` → `rtsp://h/x` and `u`, `p@`.

    An `@` after the host is refused: it is most often the end of a raw login with a `/`, `?` or `#`
    in it, and FFmpeg would take the part before for the host, and send the rest over the network.

    Raises:
        ValueError: It is no such URL; the message says the rule and never quotes the URL.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ValueError("must be a URL: rtsp://HOST[:PORT]/PATH")
    if "@" in parts["rest"]:
        raise ValueError(
            "must not have an @ after the host: write / ? # of a login as %2F %3F %23, "
            "and @ of a path as %40"
        )
    userinfo, at, host = parts["authority"].rpartition("@")
    bare = f"{parts['scheme'].lower()}://{host}{parts['rest']}"
    if not at:
        return bare, None
    username, _, password = userinfo.partition(":")
    try:
        login = Credentials(unquote(username, errors="strict"), unquote(password, errors="strict"))
    except UnicodeDecodeError:
        raise ValueError("must hold a login in UTF-8, percent-encoded") from None
    return bare, login


def join_userinfo(url: str, credentials: Credentials | None) -> str:
    """The URL as FFmpeg wants it, with the login percent-encoded. Never log the result.

    No more is encoded than must be, because FFmpeg keeps 127 bytes of it and cuts off the rest.

    Raises:
        ValueError: The encoded login is longer than that.
    """
    if credentials is None:
        return url
    username = quote(credentials.username, safe=_PLAIN)
    login = f"{username}:{quote(credentials.password, safe=_PLAIN + ':')}"
    if len(login) > MAX_LOGIN_BYTES:
        raise ValueError(f"user and password must not be longer than {MAX_LOGIN_BYTES} bytes")
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{login}@{rest}"


def redact(text: str) -> str:
    """Blank the userinfo of every URL in a text: the second line of defence, for logs."""
    return _USERINFO.sub("***@", text) if "://" in text else text
