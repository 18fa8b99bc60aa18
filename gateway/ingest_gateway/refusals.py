"""What a refusal of the API server means to a client of ours. Pure.

A `Status` says in its reason that something is forbidden, and in its words alone whether RBAC, a
quota or admission forbade it: those words are read here and nowhere else. The words of a refusal of
a Secret are never passed on, as they may quote it.
"""

import re
from typing import Final

from ingest_core.credentials import redact
from ingest_core.errors import (
    AdmissionRefused,
    ApiForbidden,
    ApiInvalid,
    ApiRefused,
    IngestError,
    InvalidManifest,
    NotAllowed,
    Problem,
    QuotaExceeded,
    RegistryUnavailable,
)

_QUOTA: Final = re.compile(r"(exceeded quota|status unknown for quota|failed quota): .*", re.DOTALL)
_RBAC: Final = re.compile(r'cannot (?P<verb>\w+) resource "(?P<resource>[\w/.-]+)"')
_DENIED: Final = re.compile(r"denied (the )?request")
_UNKNOWN: Final = re.compile(r'unknown field "(?P<field>[^"]+)"')
_NO_FIELD: Final = ("", "<nil>")
_TERMINATING: Final = "NamespaceTerminating"
_UNKNOWN_FIELD: Final = "is not known to the CRD of this cluster, which is older than the gateway"


def refusal(error: ApiRefused, *, secret: bool = False) -> IngestError:
    """The error to tell.

    Args:
        error: Neither ApiNotFound nor ApiConflict, which mean another thing for each call.
        secret: A Secret was refused.
    """
    if isinstance(error, ApiForbidden):
        return _forbidden(error, secret=secret)
    if isinstance(error, ApiInvalid):
        return _refused(secret=True) if secret else _invalid(error)
    return RegistryUnavailable(f"the API server does not do it: {error.status} {error.reason}")


def _forbidden(error: ApiForbidden, *, secret: bool) -> IngestError:
    if any(cause.reason == _TERMINATING for cause in error.causes):
        return RegistryUnavailable("the namespace is being deleted")
    if quota := _QUOTA.search(error.message):
        return QuotaExceeded(quota[0])
    if lacking := _RBAC.search(error.message):
        return NotAllowed(
            f"the gateway's own account must be allowed to {lacking['verb']} {lacking['resource']}"
        )
    return _refused(error.message, secret=secret)


def _invalid(error: ApiInvalid) -> IngestError:
    problems = [
        Problem(cause.field, None, redact(cause.message))
        for cause in error.causes
        if cause.field not in _NO_FIELD
    ] or [
        Problem(unknown["field"], None, _UNKNOWN_FIELD)
        for unknown in _UNKNOWN.finditer(error.message)
    ]
    return InvalidManifest(*problems) if problems else _refused(error.message)


def _refused(message: str = "", *, secret: bool = False) -> AdmissionRefused:
    if secret:
        return AdmissionRefused("the cluster does not take the Secret of the camera's login")
    return AdmissionRefused(redact(message))
