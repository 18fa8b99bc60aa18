"""Where the API server is, and who we are to it: in a pod, or by a kubeconfig.

Tokens expire and certificates are rotated: what was loaded is loaded again every minute, and at
once when the server refuses it.
Which server it is stays as it was at the start, whatever a kubeconfig calls current later.
No error and no `repr` of this module holds a token.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, kube_config
from kubernetes.aio.config.incluster_config import (
    SERVICE_HOST_ENV_NAME,
    SERVICE_PORT_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from ingest_core.errors import ApiUnavailable
from ingest_core.kube.kubeconfig import diagnose

REFRESH_SECONDS: Final = 60.0
ACCOUNT: Final = Path(SERVICE_TOKEN_FILENAME).parent  # where a pod has its service account
HOME: Final = "~/.kube/config"  # where a person has a kubeconfig
_ADVICE: Final = (
    "outside of a pod, say where the API server is with --kubeconfig FILE or $KUBECONFIG"
)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# It logs what a plugin said, which may hold a token; our own error says which file it was.
logging.getLogger(kube_config.__name__).setLevel(logging.CRITICAL + 1)


class Access:
    """The way to one API server. Made by `load`.

    Attributes:
        configuration: Of the official client: host, authorities, client certificate.
        namespace: The pod's, or the kubeconfig's context's, or `default`.
        fingerprint: Changes with anything that connections are made of, whatever its file's name.
    """

    def __init__(
        self,
        kubeconfig: str | None,
        environment: Mapping[str, str],
        now: Callable[[], float],
        account: Path,
    ) -> None:
        self._given = kubeconfig
        self._kubeconfig = kubeconfig or environment.get("KUBECONFIG") or None
        self._environment = environment
        self._now = now
        self._account = account
        self._context: str | None = None
        self._loaded = now()
        self._loads = 0
        self._loading = asyncio.Lock()
        self.configuration = Configuration()
        self.namespace = "default"
        self.fingerprint = 0

    @property
    def in_cluster(self) -> bool:
        """Does the pod's own service account count?"""
        return self._kubeconfig is None and SERVICE_HOST_ENV_NAME in self._environment

    @property
    def where(self) -> str:
        """What was loaded, for people."""
        if self.in_cluster:
            return f"the pod's service account in {self._account}"
        if self._kubeconfig is None:
            return f"the kubeconfig {HOME}"
        return f"the kubeconfig {self._kubeconfig}{'' if self._given else ' of $KUBECONFIG'}"

    async def authorization(self) -> str | None:
        """The header that says who we are; None: a client certificate does.

        What cannot be loaded again counts as it was: the server knows best whether it still does.
        """
        if self._now() - self._loaded > REFRESH_SECONDS:
            try:
                await self.reload()
            except ApiUnavailable as error:
                self._loaded = self._now()
                log.warning("access_not_reloaded", error=str(error))
        key: str | None = self.configuration.api_key.get("BearerToken")
        return key.strip() if key else None

    async def reload(self) -> None:
        """Read files and ask plugins again; who asks while that is done waits for its outcome.

        Raises:
            ApiUnavailable: They cannot be read, or say nothing that is understood.
        """
        loads = self._loads
        async with self._loading:
            if loads == self._loads:
                await self._load()
                self._loads += 1
                self._loaded = self._now()

    async def _load(self) -> None:
        """Whole or not at all: others call the server meanwhile."""
        loaded = Configuration()
        try:
            if self.in_cluster:
                self._read_account(loaded)
            else:
                await self._read_kubeconfig(loaded)
            fingerprint = _fingerprint(loaded)
        except Exception:  # noqa: BLE001 - plugins, parsers, identity providers: any
            raise ApiUnavailable(
                f"{self.where} gives no access to an API server: {self._diagnose()}"
            ) from None
        self.configuration = loaded
        self.fingerprint = fingerprint

    def _read_account(self, loaded: Configuration) -> None:
        token, authority = self._account / "token", self._account / "ca.crt"
        loader = InClusterConfigLoader(
            str(token), str(authority), try_refresh_token=False, environ=self._environment
        )
        loader.load_and_set(loaded)
        namespace = self._account / "namespace"
        if namespace.exists():
            self.namespace = namespace.read_text("utf-8").strip()

    def _diagnose(self) -> str:
        """In our words: the loader's own may quote a user's token."""
        if not self.in_cluster:
            named = self._kubeconfig or HOME
            files = [Path(one).expanduser() for one in named.split(os.pathsep) if one]
            why = diagnose(files, self._context)
            return why if self._kubeconfig else f"{why}; {_ADVICE}"
        for variable in (SERVICE_HOST_ENV_NAME, SERVICE_PORT_ENV_NAME):
            if not self._environment.get(variable):
                return f"${variable} does not say where it is"
        return "its files token and ca.crt must be there and hold text: does the pod mount it?"

    async def _read_kubeconfig(self, loaded: Configuration) -> None:
        loader = await kube_config.load_kube_config(
            self._kubeconfig or HOME,
            self._context,
            client_configuration=loaded,
            persist_config=False,
        )
        context = loader.current_context["context"]
        if context.get("user") and not (loaded.api_key or loaded.cert_file):
            raise ConfigException("a user who is none: its plugin failed, or it was left out")
        self._context = loader.current_context["name"]
        self.namespace = context.get("namespace") or "default"


def _fingerprint(loaded: Configuration) -> int:
    """Of contents: the kubelet and cert-manager replace them under the names that they have."""
    files = (loaded.ssl_ca_cert, loaded.cert_file, loaded.key_file)
    contents = [Path(file).read_bytes() if file else b"" for file in files]
    return hash((*contents, loaded.verify_ssl, loaded.tls_server_name, loaded.proxy))


async def load(
    kubeconfig: str | None = None,
    environment: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.monotonic,
    account: Path = ACCOUNT,
) -> Access:
    """Find the API server: by a kubeconfig, given or in $KUBECONFIG; in a pod, by its account.

    Otherwise by the user's own kubeconfig.

    Raises:
        ApiUnavailable: There is no way to one.
    """
    access = Access(kubeconfig, environment, now, account)
    await access.reload()
    return access
