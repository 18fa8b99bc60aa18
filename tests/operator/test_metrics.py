"""Cameras and workers by state, as they are when somebody asks."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import generate_latest

from ingest_core.kube.resources import CAMERAS
from ingest_operator.cluster import Kind
from tests.fakes.memory_api import MemoryServer, put_camera, put_lease, put_pool
from tests.fakes.operator_parts import Operator
from tests.fakes.virtual_time import in_virtual_time

LEASE_SECONDS = 10


def condition(type_: str, status: str, reason: str) -> dict[str, str]:
    return {"type": type_, "status": status, "reason": reason, "lastTransitionTime": "t"}


@in_virtual_time
async def test_cameras_are_counted_by_pool_and_reason_and_workers_by_life() -> None:
    server = MemoryServer()
    operator = Operator(server)
    put_pool(server, replicas=1)
    connected = condition("Ready", "True", "Connected")
    unassigned = condition("Assigned", "False", "CapacityExhausted")
    for name, conditions in {
        "a": [condition("Assigned", "True", "Assigned"), connected],
        "b": [connected],
        "c": [unassigned, condition("Ready", "False", "Stalled")],
        "d": [],
    }.items():
        put_camera(server, name)
        server.put(CAMERAS, name, status={"conditions": conditions})
    for worker in ("default-0", "default-1"):
        put_lease(server, worker, "t")
    put_lease(server, "default-2", "t", holder=None)
    assert operator.count("cameras", pool="default", reason="Connected") == 2
    assert operator.count("cameras", pool="default", reason="CapacityExhausted") == 1
    assert operator.count("cameras", pool="default", reason="Unknown") == 1
    assert operator.count("workers", pool="default", state="open") == 1
    assert operator.count("workers", pool="default", state="leaving") == 1
    assert operator.count("workers", pool="default", state="gone") == 1


@in_virtual_time
async def test_a_worker_that_let_go_of_its_lease_is_not_lost_for_who_is_told_of_it() -> None:
    server = MemoryServer()
    operator = Operator(server)
    put_pool(server, replicas=2)
    put_lease(server, "default-0", "t", holder=None)
    put_lease(server, "default-1", "t", duration=LEASE_SECONDS)
    async with operator.running():
        await asyncio.sleep(LEASE_SECONDS - 1)
        assert operator.count("workers", pool="default", state="released") == 1
        assert operator.count("workers", pool="default", state="open") == 1
        await asyncio.sleep(2)  # nobody renewed
        assert operator.count("workers", pool="default", state="released") == 1
        assert operator.count("workers", pool="default", state="lost") == 1


@contextmanager
def switching_often() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@in_virtual_time
async def test_they_can_be_asked_for_by_another_thread_while_cameras_come_and_go() -> None:
    server = MemoryServer()
    operator = Operator(server)
    put_pool(server)
    made = [put_camera(server, f"c{number}") for number in range(200)]
    failures: list[Exception] = []
    over = threading.Event()

    def scrape() -> None:
        try:
            while not over.is_set():
                generate_latest(operator.exposition)
        except RuntimeError as error:
            failures.append(error)

    with switching_often():
        thread = threading.Thread(target=scrape)
        thread.start()
        for version in range(20):
            for one in made:
                name, at = one["metadata"]["name"], server.version + 2 * version
                operator.cluster.gone(Kind.CAMERA, name, at)
                metadata = {**one["metadata"], "resourceVersion": str(at + 1)}
                operator.cluster.see(Kind.CAMERA, {**one, "metadata": metadata})
        over.set()
        thread.join()
    assert not failures
