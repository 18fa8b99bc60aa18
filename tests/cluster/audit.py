"""What the API server was asked, by whom, and how it answered: its own audit log.

The log is written before the answer goes out, so a request whose answer was seen is in it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was answered.

    Attributes:
        user: As authenticated: `system:serviceaccount:NAMESPACE:NAME`, `admin`, …
        resource: Plural; with the subresource: `cameras/status`. Empty: no resource (`/readyz`).
        code: Of HTTP.
        allowed: Whether RBAC let it pass; a 403 may come from admission too.
    """

    user: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    code: int
    allowed: bool
    uri: str


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The file that the API server appends to."""

    path: Path

    def position(self) -> int:
        """Where the log ends now, for `requests` later."""
        return self.path.stat().st_size if self.path.exists() else 0

    def requests(self, since: int = 0) -> Iterator[Request]:
        """Each request once, in the order of their answers; a watch when it begins."""
        if not self.path.exists():
            return
        seen: set[str] = set()
        with self.path.open("rb") as log:
            log.seek(since)
            for line in log:
                if not line.endswith(b"\n"):
                    return  # still being written
                entry = json.loads(line)
                if entry["auditID"] not in seen:
                    seen.add(entry["auditID"])
                    yield _request(entry)


def _request(entry: Mapping[str, Any]) -> Request:
    asked = entry.get("objectRef", {})
    parts = filter(None, (asked.get("resource"), asked.get("subresource")))
    return Request(
        user=entry["user"].get("username", ""),
        verb=entry["verb"],
        group=asked.get("apiGroup", ""),
        resource="/".join(parts),
        namespace=asked.get("namespace", ""),
        name=asked.get("name", ""),
        code=entry.get("responseStatus", {}).get("code", 0),
        allowed=entry.get("annotations", {}).get("authorization.k8s.io/decision") == "allow",
        uri=entry["requestURI"],
    )
