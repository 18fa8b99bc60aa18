"""A stored login goes to the host that it was given for. Pure.

Whoever may change a camera could otherwise point it at a host of theirs, and be sent the login.
"""

from typing import Final
from urllib.parse import urlsplit

from ingest_core.errors import InvalidManifest, Problem
from ingest_core.model import CameraSpec, RtspSource
from ingest_gateway.bodies import Wanted

_PORTS: Final = {"rtsp": 554, "rtsps": 322}


def demand_anew(current: CameraSpec, want: Wanted) -> None:
    """Refuse to send a login that is there already to another scheme, host or port.

    Args:
        current: What the camera is; it keeps every rule.
        want: What a patch makes of it.

    Raises:
        InvalidManifest: The login must be said again, or be taken away.
    """
    before, after = current.source.rtsp, want.spec.source.rtsp
    if before is None or after is None or want.secret:
        return
    there, kept = before.credentials_secret_ref, after.credentials_secret_ref
    if there is None or kept is None or there.name != kept.name:
        return
    if _end(before) != _end(after):
        rule = (
            "names another scheme, host or port: say username and password again, or take them "
            "away with spec.source.rtsp.credentialsSecretRef null"
        )
        raise InvalidManifest(Problem("source_url", None, rule))


def _end(source: RtspSource) -> tuple[str, str | None, int | None]:
    url = urlsplit(source.url)
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)
