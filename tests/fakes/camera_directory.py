"""A directory of cameras as a person writes it."""

from pathlib import Path

from ingest_core.model import CameraSpec, RtspSource, Source
from ingest_standalone.directory import DirectoryRegistry

SECRET = "hunter2"
RTSP = CameraSpec(source=Source(rtsp=RtspSource(url="rtsp://10.0.0.7/x")))
LOGIN = {"username": "admin", "password": SECRET}


def manifest(name: str = "lobby", **spec: object) -> str:
    lines = [f"  {key}: {value}\n" for key, value in spec.items()]
    return (
        "apiVersion: camera-ingest.io/v1alpha1\nkind: Camera\n"
        f"metadata: {{name: {name}}}\n"
        f"spec:\n  source: {{rtsp: {{url: 'rtsp://10.0.0.7/{name}'}}}}\n{''.join(lines)}"
    )


def secret(name: str = "login", **data: str) -> str:
    lines = [f"  {key}: {value}\n" for key, value in data.items()]
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n{''.join(lines)}"
    )


def put(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


async def settle(registry: DirectoryRegistry) -> None:
    """What by hand changed is believed at the second look."""
    await registry.look()
    await registry.look()


def rules(registry: DirectoryRegistry, file: str) -> str:
    return "; ".join(str(found.problem) for found in registry._shelf.problems[file])


def files(path: Path) -> list[str]:
    """Names of what is in a directory, sorted."""
    return sorted(entry.name for entry in path.iterdir())
