"""A witness: the shortest way to ask an API server something, apart from the client under test.

Synchronous and safe in threads; it never retries, so that what a test sees is what the server said.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3


class Refused(Exception):
    """An answer of 400 or more.

    Attributes:
        status: Of HTTP.
        reason: Of the `Status` object: `NotFound`, `Invalid`, …
        message: The server's words.
    """

    def __init__(self, status: int, body: Any) -> None:
        answer = body if isinstance(body, dict) else {}
        self.status = status
        self.reason = str(answer.get("reason", ""))
        self.message = str(answer.get("message", body))
        super().__init__(f"{status} {self.reason}: {self.message}")


class Client:
    """Raw paths in, JSON out; every method raises `Refused`."""

    def __init__(self, url: str, ca_file: Path, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._http = urllib3.PoolManager(
            ca_certs=str(ca_file), retries=False, timeout=30, maxsize=16
        )

    def get(self, path: str, **query: str) -> Any:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: object, **query: str) -> Any:
        return self.call("POST", path, body, query=query)

    def put(self, path: str, body: object, **query: str) -> Any:
        return self.call("PUT", path, body, query=query)

    def delete(self, path: str, body: object = None, **query: str) -> Any:
        return self.call("DELETE", path, body, query=query)

    def merge(self, path: str, body: object, **query: str) -> Any:
        """A JSON merge patch."""
        return self.call("PATCH", path, body, "application/merge-patch+json", query)

    def apply(self, path: str, body: object, manager: str = "test", **query: str) -> Any:
        """A server-side apply, by force."""
        query = {"fieldManager": manager, "force": "true", **query}
        return self.call("PATCH", path, body, "application/apply-patch+yaml", query)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> Any:
        """Ask; the decoded answer, or its text where it is no JSON."""
        headers = {**self._headers, "Content-Type": content_type}
        url = self._url + path + ("?" + urlencode(query) if query else "")
        answer = self._http.request(method, url, json=body, headers=headers)
        is_json = "json" in answer.headers.get("Content-Type", "")
        decoded = answer.json() if is_json else answer.data.decode()
        if answer.status >= 400:
            raise Refused(answer.status, decoded)
        return decoded

    def close(self) -> None:
        self._http.clear()
