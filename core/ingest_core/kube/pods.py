"""Pods as values: the part of a core/v1 Pod that we read. Pure."""

from typing import Final

from msgspec import Struct, field

from ingest_core import names
from ingest_core.model import Metadata

WORKERS: Final = f"{names.LABEL_COMPONENT}={names.WORKER},{names.LABEL_NAME}={names.APP}"


class ContainerPort(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str = ""
    container_port: int = 0


class Container(Struct, frozen=True, kw_only=True):
    name: str = ""
    ports: tuple[ContainerPort, ...] = ()


class PodSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    containers: tuple[Container, ...] = ()


class PodCondition(Struct, frozen=True, kw_only=True):
    type: str
    status: str


class PodStatus(Struct, frozen=True, kw_only=True):
    phase: str = ""
    pod_ip: str = field(default="", name="podIP")
    conditions: tuple[PodCondition, ...] = ()


class Pod(Struct, frozen=True, kw_only=True):
    """A pod, as its kubelet tells of it."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def terminating(self) -> bool:
        """Was it told to end? It serves until it has."""
        return bool(self.metadata.deletion_timestamp)

    @property
    def ended(self) -> bool:
        """Will its containers never run again?"""
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def ready(self) -> bool:
        """Does its readiness probe say so?"""
        return any((one.type, one.status) == ("Ready", "True") for one in self.status.conditions)

    def address(self, port: str = names.HTTP_PORT) -> tuple[str, int] | None:
        """Host and number of a named port; None while it has no address, or no such port."""
        numbers = (
            one.container_port
            for container in self.spec.containers
            for one in container.ports
            if one.name == port
        )
        number = next(numbers, 0)
        return (self.status.pod_ip, number) if self.status.pod_ip and number else None
