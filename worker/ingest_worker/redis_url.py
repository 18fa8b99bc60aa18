"""Where Redis is, from one URL: a server, a cluster, or Sentinels that know the server.

    redis://[user:password@]host[:6379][/database]          rediss:// is the same over TLS
    unix://[user:password@]/path/of.sock[?db=0]
    redis+cluster://[user:password@]host[:6379][,host…]     rediss+cluster:// over TLS
    redis+sentinel://[user:password@]host[:26379][,host…]/service[/database]   rediss+sentinel://

Options: `ca_file`, and `cert_file` with `key_file`, with TLS; `sentinel_auth=same`, when the
Sentinels want the same login as the server. User and password are percent-decoded, once, here.

Never quotes a part of the URL in an error: a password that was not percent-encoded can stand in
any of them.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

from ingest_core.credentials import Credentials

NO_REDIS: Final = "none"  # in the place of a URL

Kind = Literal["server", "cluster", "sentinel"]
Address = tuple[str, int]

_SCHEMES: Final[dict[str, tuple[Kind, bool]]] = {
    "redis": ("server", False),
    "rediss": ("server", True),
    "unix": ("server", False),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
}
_HOST: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?\Z"
)
_REDIS_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_MAX_PORT: Final = 65535


class InvalidRedisUrl(ValueError):
    """A Redis URL that breaks a rule; says which, and quotes nothing of the URL."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"Redis URL: {rule}")


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """Which Redis, and how to get in.

    Attributes:
        addresses: Of the server, of some nodes of the cluster, or of the Sentinels; empty: `path`.
        path: The unix socket of the server.
        service: What the Sentinels call the server.
        sentinel_auth: Whether the credentials are for the Sentinels too.
    """

    kind: Kind
    addresses: tuple[Address, ...] = ()
    path: str | None = None
    credentials: Credentials | None = None
    database: int = 0
    service: str | None = None
    sentinel_auth: bool = False
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


def parse(url: str) -> RedisTarget:
    """Read a URL of the forms above.

    Raises:
        InvalidRedisUrl: Which rule is broken; never what was found.
    """
    scheme, _, rest = url.partition("://")
    if not rest or scheme not in _SCHEMES:
        raise InvalidRedisUrl(f"begins with {', '.join(f'{name}://' for name in _SCHEMES)}")
    if "#" in rest:
        raise InvalidRedisUrl("has no '#'; in a user or a password it is written %23")
    kind, tls = _SCHEMES[scheme]
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    login, _, hosts = authority.rpartition("@")
    options = _options(query, kind, tls=tls, unix=scheme == "unix")
    if scheme == "unix":
        if hosts or not path:
            raise InvalidRedisUrl("unix:// is followed by an absolute path, unix:///run/redis.sock")
        addresses: tuple[Address, ...] = ()
        service, database = None, _database(options.get("db", ""))
    else:
        port = _SENTINEL_PORT if kind == "sentinel" else _REDIS_PORT
        addresses = tuple(_address(host, port) for host in hosts.split(","))
        service, database = _path(kind, path)
    if kind == "server" and len(addresses) > 1:
        raise InvalidRedisUrl("names one host; several need redis+cluster:// or redis+sentinel://")
    return RedisTarget(
        kind=kind,
        addresses=addresses,
        path=f"/{unquote(path)}" if scheme == "unix" else None,
        credentials=_credentials(login),
        database=database,
        service=service,
        sentinel_auth="sentinel_auth" in options,
        tls=tls,
        ca_file=options.get("ca_file"),
        cert_file=options.get("cert_file"),
        key_file=options.get("key_file"),
    )


def _options(query: str, kind: Kind, *, tls: bool, unix: bool) -> dict[str, str]:
    allowed = {
        *(("ca_file", "cert_file", "key_file") if tls else ()),
        *(("sentinel_auth",) if kind == "sentinel" else ()),
        *(("db",) if unix else ()),
    }
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise InvalidRedisUrl("options are name=value, joined by '&'") from None
    options = dict(pairs)
    if len(options) < len(pairs) or not options.keys() <= allowed or "" in options.values():
        known = ", ".join(sorted(allowed)) or "none"
        raise InvalidRedisUrl(f"options of this scheme, each at most once and not empty: {known}")
    if options.get("sentinel_auth", "same") != "same":
        raise InvalidRedisUrl("sentinel_auth is 'same', or left out")
    if ("cert_file" in options) != ("key_file" in options):
        raise InvalidRedisUrl("cert_file and key_file come together")
    return options


def _address(host: str, default_port: int) -> Address:
    found = _HOST.match(host)
    port = int(found["port"] or default_port) if found else 0
    if not found or not 0 < port <= _MAX_PORT:
        raise InvalidRedisUrl(
            "a host is name, name:port or [IPv6]:port; @ : / ? # % , in a user or a password are"
            " percent-encoded"
        )
    return found["v6"] or found["name"], port


def _path(kind: Kind, path: str) -> tuple[str | None, int]:
    if kind == "server":
        return None, _database(path)
    if kind == "cluster":
        if path:
            raise InvalidRedisUrl("a cluster has no databases: nothing follows the hosts")
        return None, 0
    service, _, database = path.partition("/")
    if not service:
        raise InvalidRedisUrl("redis+sentinel:// ends in /service, as the Sentinels name it")
    return unquote(service), _database(database)


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) <= len("9999")):
        raise InvalidRedisUrl("a database is a number")
    return int(text or 0)


def _credentials(login: str) -> Credentials | None:
    username, colon, password = login.partition(":")
    if not login:
        return None
    if not colon or not password:
        raise InvalidRedisUrl("a login is user:password@ or :password@")
    return Credentials(unquote(username), unquote(password))
