"""Secrets as files: the very manifests of Kubernetes, in files that only their owner may read.

Those that the API makes carry a label, and only such are ever cleaned away. No value is printed, or
told in a problem.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
import yaml

from ingest_core import manifest
from ingest_core.errors import InvalidManifest, Problem
from ingest_core.model import Metadata, SecretKey
from ingest_core.names import SECRET_KEY_PATTERN

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
OURS: Final = "camera-ingest"


class Secret(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """A core/v1 Secret. Its values never print."""

    api_version: Literal["v1"] = msgspec.field()
    kind: Literal["Secret"] = msgspec.field()
    metadata: Metadata
    type: str = "Opaque"
    immutable: bool = False
    string_data: dict[SecretKey, str] = {}
    data: dict[SecretKey, str] = {}

    def __repr__(self) -> str:
        return f"Secret({self.metadata.name!r}, ***)"

    @property
    def managed(self) -> bool:
        """Was it made by the API?"""
        labels = self.metadata.labels
        return isinstance(labels, dict) and labels.get(MANAGED_BY) == OURS

    def values(self) -> dict[str, str]:
        """By key, decoded; `stringData` wins.

        Raises:
            InvalidManifest: A value of `data` is not base64 of UTF-8.
        """
        decoded = {}
        for key, value in self.data.items():
            try:
                decoded[key] = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, ValueError):
                rule = "must be base64 of UTF-8; write text into stringData"
                raise InvalidManifest(Problem(f"data.{key}", None, rule)) from None
        return decoded | self.string_data


def parse_secret(raw: Mapping[str, Any]) -> Secret:
    """A Secret's manifest.

    Raises:
        InvalidManifest: A field breaks a rule; no value is shown.
    """
    try:
        secret = manifest.parse(raw, Secret)
    except InvalidManifest as error:
        silent = (Problem(_named(one.field, raw), None, one.rule) for one in error.problems)
        raise InvalidManifest(*silent) from None
    secret.values()
    return secret


def _named(field: str, raw: Mapping[str, Any]) -> str:
    """A field with the key for which msgspec says `[...]`, where it looks like one."""
    name = field.removesuffix("[...]")
    values = raw.get(name)
    if name == field or not isinstance(values, Mapping):
        return field
    wrong = (key for key, value in values.items() if not isinstance(value, str))
    key = next(wrong, None)
    return f"{name}.{key}" if re.match(SECRET_KEY_PATTERN, str(key)) else field


def own_secret(name: str, values: Mapping[str, str]) -> Secret:
    """The Secret that the API makes for a camera."""
    return Secret(
        api_version="v1",
        kind="Secret",
        metadata=Metadata(name=name, labels={MANAGED_BY: OURS}),
        string_data=dict(values),
    )


def render(*secrets: Secret) -> bytes:
    """The bytes of a file that holds these Secrets."""
    return yaml.safe_dump_all(map(msgspec.to_builtins, secrets), sort_keys=False).encode()
