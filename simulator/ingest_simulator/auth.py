"""Basic and Digest authentication as a server sees them (RFC 7617, RFC 7616). Pure.

Promises: comparisons take the same time whether they hold or not; nothing here prints a secret.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field

from ingest_simulator.camera import Auth

# A value ends at the quote before a comma or the end: clients (FFmpeg) send names unescaped.
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"(.*?)"(?=\s*(?:,|$))|([^\s,"]+))')
_ESCAPED = re.compile(r"\\(.)")
_ALGORITHM = {Auth.DIGEST_MD5: "MD5", Auth.DIGEST_SHA256: "SHA-256"}
_HASH = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Guard:
    """What opens one camera. nonce: the one this connection was given."""

    kind: Auth
    realm: str
    nonce: str
    qop: bool
    username: str
    password: str = field(repr=False)


def challenge(guard: Guard) -> str:
    """The value of WWW-Authenticate; Basic where the guard asks for nothing (a false 401)."""
    algorithm = _ALGORITHM.get(guard.kind)
    if algorithm is None:
        return f'Basic realm="{guard.realm}"'
    qop = ', qop="auth"' if guard.qop else ""
    return f'Digest realm="{guard.realm}", nonce="{guard.nonce}", algorithm={algorithm}{qop}'


def admits(guard: Guard, authorization: str | None, method: str, url: str) -> bool:
    """Whether this Authorization header opens the camera for this request."""
    if guard.kind is Auth.NONE:
        return True
    scheme, _, rest = (authorization or "").partition(" ")
    if guard.kind is Auth.BASIC:
        return scheme.lower() == "basic" and _basic(guard, rest.strip())
    return scheme.lower() == "digest" and _digest(guard, rest, method, url)


def digest_response(
    algorithm: str,
    *,
    username: str,
    realm: str,
    password: str,
    method: str,
    uri: str,
    nonce: str,
    counted: tuple[str, str] | None = None,
) -> str:
    """RFC 7616, 3.4.1. `counted`: (nc, cnonce) when qop is "auth", None for RFC 2069's form."""

    def digest(*parts: str) -> str:
        return _HASH[algorithm](":".join(parts).encode()).hexdigest()

    secret = digest(username, realm, password)
    asked = digest(method, uri)
    if counted is None:
        return digest(secret, nonce, asked)
    return digest(secret, nonce, *counted, "auth", asked)


def _basic(guard: Guard, coded: str) -> bool:
    try:
        given = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, f"{guard.username}:{guard.password}".encode())


def _digest(guard: Guard, text: str, method: str, url: str) -> bool:
    given = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(text)}
    algorithm = _ALGORITHM[guard.kind]
    username, uri = given.get("username", ""), given.get("uri", "")
    if guard.username not in (username, _ESCAPED.sub(r"\1", username)):
        return False
    if given.get("realm") != guard.realm or given.get("nonce") != guard.nonce:
        return False
    # The URL as sent, or its path alone, as RFC 7616's own example has it.
    if not uri or not url.endswith(uri):
        return False
    if given.get("algorithm", "MD5").upper() != algorithm:
        return False
    counted = (given.get("nc", ""), given.get("cnonce", "")) if "qop" in given else None
    wanted = digest_response(
        algorithm,
        username=guard.username,
        realm=guard.realm,
        password=guard.password,
        method=method,
        uri=uri,
        nonce=guard.nonce,
        counted=counted,
    )
    return hmac.compare_digest(wanted.encode(), given.get("response", "").lower().encode())
