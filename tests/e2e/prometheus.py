"""What a Prometheus knows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

_SECONDS: Final = 60.0

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, as who is told of it gets it."""

    labels: Texts
    annotations: Texts


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One Prometheus.

    Attributes:
        address: HOST:PORT of its HTTP API.
    """

    address: str

    def series(self, expression: str) -> Sequence[Texts]:
        """Labels of all that an expression finds now."""
        return [one["metric"] for one in self._get("query", query=expression)["result"]]

    def families(self) -> set[str]:
        """Names of what its targets tell of, be there a value of it or not; without `_total`."""
        return {name.removesuffix("_total") for name in self._get("metadata")}

    def families_of(self, container: str) -> set[str]:
        """The same of the targets that are containers of a name."""
        told = self._get("targets/metadata", match_target=f'{{container="{container}"}}')
        return {one["metric"].removesuffix("_total") for one in told}

    def rules(self) -> Texts:
        """How each of its rules does, by name: `ok`, `unknown` or `err`."""
        groups = self._get("rules")["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    def firing(self, labels: Texts) -> Mapping[str, Alert]:
        """The alerts with these labels that fire now, by name."""
        return {
            one["labels"]["alertname"]: Alert(one["labels"], one["annotations"])
            for one in self._get("alerts")["alerts"]
            if one["state"] == "firing" and labels.items() <= one["labels"].items()
        }

    def _get(self, what: str, **query: str) -> Any:
        url = f"http://{self.address}/api/v1/{what}?{urlencode(query)}"
        with urlopen(url, timeout=_SECONDS) as answer:
            return json.load(answer)["data"]
