"""Make and remove the Secrets that hold cameras' logins. None is ever read here."""

from collections.abc import Mapping

import structlog

from ingest_core import names
from ingest_core.errors import (
    ApiNotFound,
    ApiRefused,
    ApiUnavailable,
    IngestError,
    NotAllowed,
)
from ingest_core.kube.client import Api
from ingest_core.kube.resources import SECRETS
from ingest_core.model import Camera
from ingest_gateway import own_secret
from ingest_gateway.refusals import refusal

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Logins:
    """The Secrets of one namespace that belong to cameras."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def make(self, name: str, camera: Camera, values: Mapping[str, str]) -> None:
        """Write a new Secret, owned by a camera that is there.

        Raises:
            QuotaExceeded, AdmissionRefused, NotAllowed: The cluster refuses.
            RegistryUnavailable: It could not be written, or nobody says whether it was.
        """
        body = own_secret.manifest(name, camera, values)
        try:
            await self._api.create(SECRETS, body, manager=names.GATEWAY_MANAGER)
        except ApiRefused as error:
            raise told(error, secret=True) from None

    async def remove(self, name: str | None) -> None:
        """Best effort: what is left goes with its camera."""
        if name is None:
            return
        try:
            await self._api.delete(SECRETS, name)
        except ApiNotFound:
            pass
        except (ApiUnavailable, ApiRefused) as error:
            log.warning("secret_left", secret=name, error=type(error).__name__)


def told(error: ApiRefused, *, secret: bool = False) -> IngestError:
    """See `refusal`; what whoever runs the cluster must mend is logged, too."""
    mapped = refusal(error, secret=secret)
    if isinstance(mapped, NotAllowed):
        log.error("permission_missing", error=str(mapped))
    return mapped
