"""What a session needs of Secrets: read when it starts, kept only in memory.

A certificate authority is public, and FFmpeg wants it as a file; so that, and only that, is written
to a private temporary directory.
"""

import asyncio
import functools
import hashlib
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Final

from ingest_core.credentials import Credentials
from ingest_core.errors import CaptureError, Failure, RegistryUnavailable, SecretMissing
from ingest_core.model import CredentialsRef, Decode, RtspSource, SecretRef, Tls
from ingest_core.registry import WorkerRegistry
from ingest_worker.rtsp import Target

_SYSTEM_CA: Final = (
    ssl.get_default_verify_paths().cafile,
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
)


@functools.cache
def system_authorities() -> str | None:
    """The file of authorities that this machine trusts."""
    return next((path for path in _SYSTEM_CA if path and Path(path).exists()), None)


class Logins:
    """Reads Secrets for sessions. Owner of the directory of authorities, which `close` removes."""

    def __init__(self, registry: WorkerRegistry) -> None:
        self._registry = registry
        self._authorities: tempfile.TemporaryDirectory[str] | None = None
        self._writing = threading.Lock()

    def close(self) -> None:
        if self._authorities is not None:
            self._authorities.cleanup()

    async def target(self, rtsp: RtspSource, decode: Decode) -> Target:
        """Put together what a session needs.

        Raises:
            CaptureError: CREDENTIALS_MISSING: no such Secret; UNREACHABLE: it cannot be read.
        """
        tls = rtsp.tls or Tls()
        return Target(
            url=rtsp.url,
            transport=rtsp.transport,
            credentials=await self._credentials(rtsp.credentials_secret_ref),
            ca_file=await self._authority(tls.ca_secret_ref),
            verify=not tls.insecure_skip_verify,
            connect_seconds=rtsp.connect_timeout_seconds,
            decode=decode,
        )

    async def token(self, reference: SecretRef | None) -> str | None:
        """The token that a device must send; None: it needs none. Raises as `target`."""
        return None if reference is None else await self._read(reference.name, reference.key)

    async def _credentials(self, reference: CredentialsRef | None) -> Credentials | None:
        if reference is None:
            return None
        return Credentials(
            await self._read(reference.name, reference.username_key),
            await self._read(reference.name, reference.password_key),
        )

    async def _authority(self, reference: SecretRef | None) -> str | None:
        if reference is None:
            return system_authorities()
        pem = await self._read(reference.name, reference.key)
        try:
            return await asyncio.to_thread(self._write, pem.encode())
        except OSError as error:
            text = "the certificate authority could not be written to a temporary file"
            raise CaptureError(Failure.UNREACHABLE, text) from error

    def _write(self, pem: bytes) -> str:
        """A file with exactly these bytes; its directory may have been reaped meanwhile."""
        with self._writing:  # a second directory would take the first one's place, and end it
            if self._authorities is None or not Path(self._authorities.name).is_dir():
                self._authorities = tempfile.TemporaryDirectory(
                    prefix="camera-ingest-ca-", ignore_cleanup_errors=True
                )
            path = Path(self._authorities.name, hashlib.sha256(pem).hexdigest() + ".pem")
            if not path.exists():
                unfinished = path.with_suffix(".unfinished")
                unfinished.write_bytes(pem)
                unfinished.rename(path)
            return str(path)

    async def _read(self, name: str, key: str) -> str:
        try:
            return await self._registry.secret(name, key)
        except SecretMissing as error:
            raise CaptureError(Failure.CREDENTIALS_MISSING, str(error)) from error
        except RegistryUnavailable as error:
            text = f"secret {name!r} could not be read now"
            raise CaptureError(Failure.UNREACHABLE, text) from error
