"""A certificate authority made for one test, and what it signs."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Authority:
    """`certificate` is what a client has to trust."""

    directory: Path
    certificate: Path

    def server(self, name: str, *, host: str = "IP:127.0.0.1", days: int = 2) -> ssl.SSLContext:
        """A server's context, for this host; expired with negative days."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign(name, host=host, days=days))
        return context

    def sign(
        self, name: str, *, host: str = "IP:127.0.0.1", days: int = 2, subject: str = ""
    ) -> tuple[Path, Path]:
        """A certificate and its key; the subject is `/CN={name}` if it is not given."""
        request, key = self.directory / f"{name}.csr", self.directory / f"{name}.key"
        signed, extensions = self.directory / f"{name}.pem", self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={host}\n")
        _openssl(
            "req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", subject or f"/CN={name}"
        )
        ca = ("-CA", self.certificate, "-CAkey", self.directory / "ca.key", "-CAcreateserial")
        valid = ("-days", str(days), "-extfile", extensions)
        _openssl("x509", "-req", "-in", request, *ca, *valid, "-out", signed)
        return signed, key


def authority(directory: Path) -> Authority:
    """Make one; skips where openssl is not installed."""
    directory.mkdir()
    certificate, key = directory / "ca.pem", directory / "ca.key"
    where = ("-keyout", key, "-out", certificate)
    _openssl("req", "-x509", *_NEW_KEY, *where, "-days", "2", "-subj", f"/CN={directory.name}")
    return Authority(directory, certificate)


def _openssl(*arguments: str | Path) -> None:
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    subprocess.run([openssl, *arguments], check=True, capture_output=True, timeout=30)
