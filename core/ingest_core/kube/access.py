"""Where the API server is, and who we are to it: in a pod, or by a kubeconfig.

Tokens expire: what was loaded is loaded again every minute, and at once when the server refuses it.
No error and no `repr` of this module holds a token.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from ingest_core.errors import ApiUnavailable

REFRESH_SECONDS: Final = 60.0
_NAMESPACE_FILE: Final = Path(SERVICE_TOKEN_FILENAME).with_name("namespace")


class Access:
    """The way to one API server. Made by `load`.

    Attributes:
        configuration: Of the official client: host, authorities, client certificate.
        namespace: The pod's, or the kubeconfig's context's, or `default`.
    """

    def __init__(
        self, kubeconfig: str | None, environment: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        self._kubeconfig = kubeconfig or environment.get("KUBECONFIG")
        self._environment = environment
        self._now = now
        self._loaded = now()
        self.configuration = Configuration()
        self.namespace = "default"

    @property
    def in_cluster(self) -> bool:
        """Does the pod's own service account count?"""
        return self._kubeconfig is None and SERVICE_HOST_ENV_NAME in self._environment

    async def authorization(self) -> str | None:
        """The header that says who we are; None: a client certificate does.

        Raises:
            ApiUnavailable: What is to be loaded again cannot be read now.
        """
        if self._now() - self._loaded > REFRESH_SECONDS:
            await self.reload()
        key: str | None = self.configuration.api_key.get("BearerToken")
        return key

    async def reload(self) -> None:
        """Read files and ask plugins again.

        Raises:
            ApiUnavailable: They cannot be read, or say nothing that is understood.
        """
        try:
            if self.in_cluster:
                loader = InClusterConfigLoader(
                    SERVICE_TOKEN_FILENAME,
                    SERVICE_CERT_FILENAME,
                    try_refresh_token=False,
                    environ=self._environment,
                )
                loader.load_and_set(self.configuration)
                if _NAMESPACE_FILE.exists():
                    self.namespace = _NAMESPACE_FILE.read_text("utf-8").strip()
            else:
                await self._read_kubeconfig()
        except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            where = "the pod's service account" if self.in_cluster else self._where()
            raise ApiUnavailable(
                f"{where} gives no access to an API server: {_why(error)}"
            ) from None
        self._loaded = self._now()

    async def _read_kubeconfig(self) -> None:
        self.configuration.api_key.clear()
        loader = await load_kube_config(
            self._kubeconfig, client_configuration=self.configuration, persist_config=False
        )
        context = loader.current_context.get("context", {})
        self.namespace = context.get("namespace") or "default"

    def _where(self) -> str:
        return f"the kubeconfig {self._kubeconfig or '~/.kube/config'}"


def _why(error: Exception) -> str:
    """In our words: the loader's own may quote a user's token."""
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    return "something that it must hold is missing, or is not what it must be"


async def load(
    kubeconfig: str | None = None,
    environment: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.monotonic,
) -> Access:
    """Find the API server: by a kubeconfig, given or in $KUBECONFIG; in a pod, by its account.

    Otherwise by the user's own kubeconfig.

    Raises:
        ApiUnavailable: There is no way to one.
    """
    access = Access(kubeconfig, environment, now)
    await access.reload()
    return access
