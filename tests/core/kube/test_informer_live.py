"""A copy of what the real API server has, over a network that fails in every way it can."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ingest_core import lenient
from ingest_core.kube.access import load
from ingest_core.kube.client import Api
from ingest_core.kube.informer import Informer, version
from ingest_core.kube.leases import Lease
from ingest_core.kube.resources import CAMERAS, LEASES, SECRETS, Resource
from ingest_core.model import Camera
from tests.cluster.api_server import ApiServer
from tests.cluster.proxy import Proxy
from tests.fakes.real_api import Account, following, manifest, until


def known(informer: Informer[Camera]) -> dict[str, str]:
    return {name: one.metadata.resource_version for name, one in informer.objects.items()}


async def there(api: Api, **query: str) -> dict[str, str]:
    """What a fresh list shows."""
    metadata = [one["metadata"] for one in json.loads(await api.get(CAMERAS, **query))["items"]]
    return {one["name"]: one["resourceVersion"] for one in metadata}


async def make(api: Api, *names: str) -> None:
    await asyncio.gather(*(api.create(CAMERAS, manifest(one), manager="test") for one in names))


async def change(api: Api, name: str, weight: int) -> Any:
    answer = await api.merge(CAMERAS, name, {"spec": {"weight": weight}}, manager="test")
    return json.loads(answer)


def weighs(informer: Informer[Camera], name: str, weight: int) -> Callable[[], bool]:
    return lambda: informer.objects[name].spec.weight == weight


def holds(informer: Informer[Camera], *names: str) -> Callable[[], bool]:
    return lambda: set(informer.objects) == set(names)


async def converged(informer: Informer[Camera], near: Api) -> None:
    wanted = await there(near)
    await until(informer, lambda: known(informer) == wanted)


async def test_a_watch_that_is_cut_goes_on_where_it_was_and_loses_nothing(
    near: Api, far: Api, wire: Proxy, account: Account
) -> None:
    await make(near, "a", "b", "c")
    informer = Informer(far, CAMERAS, Camera)
    async with following(informer):
        await converged(informer, near)
        since = len(account.queries("list"))
        for number in range(1, 6):
            await change(near, "a", number)
            await until(informer, weighs(informer, "a", number))
            await wire.refuse()
            await make(near, f"new-{number}")
            await near.delete(CAMERAS, "b") if number == 3 else await change(near, "c", number)
            await wire.heal()
        await until(informer, lambda: "new-5" in informer.objects)
        await until(informer, weighs(informer, "c", 5))
        assert "b" not in informer.objects
        assert len(account.queries("list")) == since
        resumed = [int(one["resourceVersion"]) for one in account.queries("watch")]
        assert len(resumed) >= 6
        assert resumed == sorted(resumed)
        assert known(informer) == await there(near)


async def test_a_server_that_died_and_forgot_is_listed_anew_and_what_is_gone_is_swept(
    api_server: ApiServer, near: Api, wire: Proxy, account: Account, tmp_path: Path
) -> None:
    """And the token that the watch began with ran out meanwhile, and was replaced in its file."""
    await make(near, "stays", "changes", "goes")
    async with rotated(account, near, wire, tmp_path) as (far, rotate):
        informer = Informer(far, CAMERAS, Camera, draw=lambda: 0.0)
        async with following(informer), informer.changes() as changes:
            assert await anext(changes) == {"stays", "changes", "goes"}
            before = known(informer)
            await asyncio.to_thread(api_server.kill)
            await wire.black_hole()
            await asyncio.to_thread(api_server.heal)
            assert known(informer) == before
            assert informer.synced
            await near.delete(CAMERAS, "goes")
            await change(near, "changes", 7)
            await make(near, "comes")
            await asyncio.to_thread(api_server.compact)
            await rotate()
            assert known(informer) == before
            lists, token = len(account.queries("list")), await far.access.authorization()
            await wire.cut()
            await wire.heal()
            assert await anext(changes) == {"changes", "goes", "comes"}
            assert known(informer) == await there(near)
            assert len(account.queries("list")) == lists + 2  # its own, and the line above
            assert await far.access.authorization() != token


@asynccontextmanager
async def rotated(
    account: Account, near: Api, wire: Proxy, folder: Path
) -> AsyncIterator[tuple[Api, Callable[[], Awaitable[None]]]]:
    """A client with its token in a file, and how to end that token and write another one."""
    file = folder / "token"
    for name in ("first", "second"):
        await near.create(SECRETS, {"metadata": {"name": name}}, manager="test")
    account.identity.write_token(file, bound_to="first")

    async def rotate() -> None:
        await near.delete(SECRETS, "first")  # with it goes the token that is bound to it
        account.identity.write_token(file, bound_to="second")

    config = account.identity.kubeconfig(folder / "rotated", token_file=file, url=wire.url)
    async with Api(await load(str(config), {})) as api:
        yield api, rotate


async def test_over_a_slow_line_it_is_late_and_right(near: Api, far: Api, wire: Proxy) -> None:
    await wire.delay(0.5)
    await make(near, "a")
    informer = Informer(far, CAMERAS, Camera)
    async with following(informer):
        await until(informer, lambda: "a" in informer.objects)
        for number in range(1, 20):
            answer = await change(near, "a", number)
        await near.delete(CAMERAS, "a")
        await make(near, "a", "b")
        assert informer.reached < version(answer["metadata"]["resourceVersion"])
        await converged(informer, near)


async def test_our_own_write_is_not_taken_back_by_what_comes_late(
    near: Api, far: Api, wire: Proxy
) -> None:
    await make(near, "a")
    informer = Informer(far, CAMERAS, Camera)
    async with following(informer), informer.changes() as changes:
        await anext(changes)
        await wire.delay(0.2)
        for number in range(1, 10):
            answer = await change(near, "a", number)
        informer.put(lenient.convert(answer, Camera))
        seen = []
        await near.create(CAMERAS, manifest("end"), manager="test")
        async for names in changes:
            seen.append(informer.objects["a"].spec.weight)
            if "end" in names:
                break
        assert set(seen) == {9}


async def test_a_watch_in_a_black_hole_is_found_dead_by_its_silence(
    account: Account, near: Api, wire: Proxy, tmp_path: Path
) -> None:
    silence = 1.0
    ended = asyncio.Event()

    def called(verb: str, _resource: str, _code: str, _took: float, /) -> None:
        if verb == "watch":
            ended.set()

    async with account.api(tmp_path, wire.url, called=called, silence=silence) as far:
        informer = Informer(far, CAMERAS, Camera)
        now = asyncio.get_running_loop().time
        async with following(informer):
            await until(informer, lambda: informer.synced)
            await make(near, "a")
            await until(informer, lambda: "a" in informer.objects)
            await wire.black_hole()
            await make(near, "b")
            began = now()
            ended.clear()
            await asyncio.wait_for(ended.wait(), 3 * silence)
            assert now() - began < 2 * silence
            assert set(informer.objects) == {"a"}
            await wire.cut()
            await wire.heal()
            await until(informer, lambda: "b" in informer.objects)


class Brief(Api):
    """Its watches last three seconds: two before its end a watch gets a bookmark."""

    bookmarked: asyncio.Event

    @asynccontextmanager
    async def watch(
        self, resource: Resource, query: Mapping[str, str], seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with super().watch(resource, query, min(seconds, 3)) as lines:
            yield self._noted(lines)

    async def _noted(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for line in lines:
            yield line
            if b'"BOOKMARK"' in line:
                self.bookmarked.set()


async def test_a_bookmark_moves_it_on_while_nothing_changes_that_it_selects(
    near: Api, far: Api, wire: Proxy, account: Account
) -> None:
    async with Brief(far.access) as brief:
        brief.bookmarked = asyncio.Event()
        informer = Informer(brief, CAMERAS, Camera, {"fieldSelector": "metadata.name=a"})
        async with following(informer):
            await until(informer, lambda: informer.synced)
            listed = informer.reached
            await make(near, "b")
            async with asyncio.timeout(10):
                await brief.bookmarked.wait()
            assert not informer.objects
            assert informer.reached > listed
            watches, reached = len(account.queries("watch")), informer.reached
            await wire.cut()
            await make(near, "a")
            await until(informer, lambda: "a" in informer.objects)
            assert account.queries("watch")[watches]["resourceVersion"] == str(reached)
            assert len(account.queries("list")) == 1


async def test_many_objects_are_read_at_once_from_the_cache(near: Api, account: Account) -> None:
    names = [f"lease-{number:04}" for number in range(1200)]
    made = [near.create(LEASES, {"metadata": {"name": one}}, manager="test") for one in names]
    await asyncio.gather(*made)
    informer = Informer(near, LEASES, Lease)
    async with following(informer):
        await until(informer, lambda: sorted(informer.objects) == names)
        (asked,) = account.queries("list")
        assert (asked["resourceVersion"], "limit" in asked) == ("0", False)
        await near.delete(LEASES, names[-1])
        await until(informer, lambda: names[-1] not in informer.objects)
        assert len(informer.objects) == 1199


async def test_an_object_that_is_not_selected_any_more_has_gone(near: Api) -> None:
    await make(near, "a", "b")
    select = {"fieldSelector": "status.assignment.worker=w-0"}
    informer = Informer(near, CAMERAS, Camera, select)
    async with following(informer):
        await until(informer, lambda: informer.synced)
        assert not informer.objects
        for epoch, worker in enumerate(["w-0", "w-1", "w-0"], 1):
            status = {"status": {"assignment": {"worker": worker, "epoch": epoch}}}
            await near.merge(CAMERAS, "a", status, manager="test", subresource="status")
            await until(informer, holds(informer, *(["a"] if worker == "w-0" else [])))
            assert known(informer) == await there(near, **select)
