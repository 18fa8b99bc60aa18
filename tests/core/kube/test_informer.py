"""A copy that follows, in virtual time: what it resumes, sweeps, keeps, and how often it asks."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingest_core import lenient
from ingest_core.errors import ApiExpired, ApiForbidden, ApiUnavailable
from ingest_core.kube.client import SILENCE_SECONDS, Call
from ingest_core.kube.informer import Informer, newer, version
from ingest_core.kube.pods import Pod
from ingest_core.kube.resources import PODS
from ingest_core.model import Metadata
from tests.fakes.virtual_time import in_virtual_time
from tests.fakes.watched_api import WatchedApi, WatchedServer

UNREADABLE = {"spec": {"containers": "none"}}


@asynccontextmanager
async def informing(
    server: WatchedServer, draw: float = 0.5, **select: str
) -> AsyncIterator[tuple[Informer[Pod], WatchedApi]]:
    """An informer that runs; at the end nothing of it is left."""
    api = WatchedApi(server)
    informer = Informer(api, PODS, Pod, select, now=now, draw=lambda: draw)
    running = asyncio.create_task(informer.run())
    await server.flush()
    try:
        yield informer, api
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def pods(*names: str) -> WatchedServer:
    server = WatchedServer()
    for name in names:
        server.put(PODS, name)
    return server


def pod(server: WatchedServer, name: str) -> Pod:
    """As a write of our own is answered."""
    return lenient.convert(server.find(PODS, name), Pod)


def known(informer: Informer[Pod]) -> dict[str, int]:
    return {name: version(one.metadata.resource_version) for name, one in informer.objects.items()}


def there(server: WatchedServer) -> dict[str, int]:
    return {
        one["metadata"]["name"]: int(one["metadata"]["resourceVersion"])
        for one in server.every(PODS)
    }


def now() -> float:
    return asyncio.get_running_loop().time()


def watched_from(api: WatchedApi) -> list[int]:
    return [int(call.query["resourceVersion"]) for call in api.calls("watch")]


async def first(informer: Informer[Pod]) -> set[str]:
    """Names that a new reader is told first."""
    async with informer.changes() as changes:
        return set(await anext(changes))


# Versions


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("18446744073709551616", 2**64), ("", 0), ("-7", 0), ("7.5", 0), ("²", 0), ("x", 0)],
)
def test_a_version_is_a_number_that_grows_or_none(text: str, number: int) -> None:
    assert version(text) == number


@pytest.mark.parametrize(
    ("one", "other", "is_newer"),
    [("10", "9", True), ("9", "10", False), ("9", "9", False), ("1", "", True), ("x", "y", False)],
)
def test_of_two_versions_the_greater_number_is_newer(
    one: str, other: str, *, is_newer: bool
) -> None:
    made = [Metadata(name="a", resource_version=text) for text in (one, other)]
    assert newer(*made) is is_newer


# Following


@in_virtual_time
async def test_it_lists_once_and_follows_from_there() -> None:
    server = pods("a", "b")
    async with informing(server) as (informer, api):
        listed = server.version
        server.put(PODS, "a", status={"phase": "Running"})
        server.put(PODS, "c")
        server.drop(PODS, "b")
        await server.flush()
        assert known(informer) == there(server)
        assert informer.objects["a"].status.phase == "Running"
        assert informer.reached == server.version
        assert [call.verb for call in api.asked] == ["list", "watch"]
        assert watched_from(api) == [listed]


@in_virtual_time
async def test_it_asks_the_cache_for_what_was_selected_and_for_bookmarks() -> None:
    async with informing(pods(), fieldSelector="a=b") as (_, api):
        (list_,), (watch,) = api.calls("list"), api.calls("watch")
        assert list_.query == {"fieldSelector": "a=b", "resourceVersion": "0"}
        assert watch.query["fieldSelector"] == "a=b"
        assert watch.query["allowWatchBookmarks"] == "true"


@in_virtual_time
async def test_a_watch_that_was_cut_is_resumed_where_it_was() -> None:
    server = pods("a")
    async with informing(server) as (informer, api):
        server.put(PODS, "b")
        await server.flush()
        reached = server.version
        await server.cut()
        server.put(PODS, "c")
        server.drop(PODS, "a")
        await asyncio.sleep(1)
        await server.flush()
        assert known(informer) == there(server)
        assert watched_from(api)[-1] == reached
        assert len(api.calls("list")) == 1


@in_virtual_time
async def test_a_bookmark_says_how_far_it_is() -> None:
    server = pods("a")
    async with informing(server) as (informer, api):
        await asyncio.sleep(60)
        await server.bookmark(PODS)
        assert informer.reached == server.version
        await server.end()
        assert watched_from(api)[-1] == server.version
        assert known(informer) == there(server)


@in_virtual_time
async def test_a_watch_that_was_silent_for_too_long_is_begun_anew_and_nobody_is_warned() -> None:
    """None of its kind was written since the server started, so there was no bookmark."""
    server = pods("a")
    with capture_logs() as logs:
        async with informing(server) as (informer, api):
            for _ in range(3):
                await asyncio.sleep(SILENCE_SECONDS)
                await server.cut()
            server.put(PODS, "b")
            await server.flush()
            assert known(informer) == there(server)
            assert (len(api.calls("watch")), len(api.calls("list"))) == (4, 1)
    assert [one["event"] for one in logs] == ["watch_resumed"] * 3


@in_virtual_time
async def test_a_watch_whose_time_is_over_is_followed_by_the_next_at_once() -> None:
    server = pods("a")
    async with informing(server) as (_, api):
        await asyncio.sleep(10)
        await server.end()
        assert len(api.calls("watch")) == 2


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 300), (0.999, 599)])
def test_watches_do_not_all_end_at_the_same_time(draw: float, seconds: int) -> None:
    _ends_after(draw, seconds)


@in_virtual_time
async def _ends_after(draw: float, seconds: int) -> None:
    async with informing(pods(), draw) as (_, api):
        await asyncio.sleep(seconds - 1)
        assert len(api.calls("watch")) == 1
        await asyncio.sleep(2)
        assert len(api.calls("watch")) == 2


# Listing anew


@in_virtual_time
async def test_a_version_that_is_forgotten_leads_to_a_list_and_a_sweep() -> None:
    server = pods("stays", "changes", "goes")
    async with informing(server) as (informer, api):
        api.before = away
        await server.cut()
        server.drop(PODS, "goes")
        server.put(PODS, "changes", status={"phase": "Failed"})
        server.put(PODS, "comes")
        server.forget()
        assert set(informer.objects) == {"stays", "changes", "goes"}
        async with informer.changes() as changes:
            assert await anext(changes) == {"stays", "changes", "goes"}
            api.before = at_once
            assert await anext(changes) == {"changes", "goes", "comes"}
        assert known(informer) == there(server)
        assert len(api.calls("list")) == 2


@pytest.mark.parametrize("behind", [False, True])
@in_virtual_time
async def test_it_lists_nothing_older_than_it_knows_unless_the_server_has_nothing_newer(
    behind: bool,  # noqa: FBT001
) -> None:
    server = pods("a")

    async def answer(call: Call) -> None:
        if behind and call.verb == "list" and "resourceVersion" in call.query:
            raise ApiExpired(504, "Timeout", "Too large resource version")

    async with informing(server) as (informer, api):
        reached = str(informer.reached)
        server.forget()
        api.before = answer
        await server.cut()
        await asyncio.sleep(3)
        lists = [one.query.get("resourceVersion") for one in api.calls("list")]
        assert lists == (["0", reached, None] if behind else ["0", reached])
        assert known(informer) == there(server)


@in_virtual_time
async def test_what_we_made_while_a_list_is_read_is_not_swept() -> None:
    server = pods("a")
    seen: list[bool] = []

    async def make(call: Call) -> None:
        if call.verb == "list":
            server.put(PODS, "a-new-one")
            informer.put(pod(server, "a-new-one"))

    async def look(call: Call) -> None:
        if call.verb == "watch":
            seen.append("a-new-one" in informer.objects)

    async with informing(server) as (informer, api):
        server.forget()
        api.before, api.after = look, make
        await server.cut()
        await asyncio.sleep(3)
        assert len(api.calls("list")) == 2
        assert known(informer) == there(server)
        assert seen == [False, True]  # before the list, and after it


@in_virtual_time
async def test_what_we_deleted_while_a_list_is_read_is_not_brought_back() -> None:
    server = pods("a", "z")
    seen: list[bool] = []

    async def delete(call: Call) -> None:
        if call.verb == "list":
            server.drop(PODS, "z")
            informer.drop("z")

    async def look(call: Call) -> None:
        if call.verb == "watch":
            seen.append("z" in informer.objects)

    async with informing(server) as (informer, api):
        server.forget()
        api.before, api.after = look, delete
        await server.cut()
        await asyncio.sleep(3)
        assert known(informer) == there(server)
        assert seen == [True, False]  # before the list, and after it


# Our own writes


@in_virtual_time
async def test_our_own_write_is_there_before_the_watch_tells_of_it() -> None:
    server = pods("a")
    async with informing(server) as (informer, _), informer.changes() as changes:
        await anext(changes)
        server.put(PODS, "a", status={"phase": "Running"})
        informer.put(pod(server, "a"))
        assert await anext(changes) == {"a"}
        assert informer.objects["a"].status.phase == "Running"


@in_virtual_time
async def test_a_late_event_takes_nothing_back() -> None:
    server = pods("a")
    async with informing(server) as (informer, _):
        server.put(PODS, "a", status={"phase": "Pending"})
        server.put(PODS, "a", status={"phase": "Running"})
        informer.put(pod(server, "a"))
        phases = []
        async with informer.changes() as changes:
            await anext(changes)
            await server.flush()  # tells of Pending, then of Running
            phases.append(informer.objects["a"].status.phase)
            server.put(PODS, "b")
            await server.flush()
            assert await anext(changes) == {"b"}
        assert phases == ["Running"]


@in_virtual_time
async def test_a_late_end_takes_not_away_what_we_made_after_it() -> None:
    server = pods("a")
    async with informing(server) as (informer, api):
        server.drop(PODS, "a")
        server.put(PODS, "a", status={"phase": "Running"})
        informer.put(pod(server, "a"))
        seen: list[bool] = []

        async def look(_: Call) -> None:
            seen.append("a" in informer.objects)

        api.after = look
        await server.flush()  # tells of the end, and then of the new one
        assert seen == [True, True]


@in_virtual_time
async def test_an_answer_that_comes_after_the_end_brings_nothing_back() -> None:
    """Nobody would ever tell of its end again."""
    server = pods("a")
    async with informing(server) as (informer, _):
        server.put(PODS, "a", status={"phase": "Running"})
        server.put(PODS, "b")
        answers = [pod(server, name) for name in ("a", "b")]
        server.drop(PODS, "a")
        server.drop(PODS, "b")
        await server.flush()
        for answer in answers:
            informer.put(answer)
        assert known(informer) == there(server) == {}


@in_virtual_time
async def test_an_old_answer_takes_no_news_back() -> None:
    server = pods("a")
    async with informing(server) as (informer, _):
        old = pod(server, "a")
        server.put(PODS, "a", status={"phase": "Running"})
        await server.flush()
        informer.put(old)
        assert known(informer) == there(server)


@in_virtual_time
async def test_whether_a_new_object_is_selected_only_the_server_knows() -> None:
    server = pods("a")
    async with informing(server, fieldSelector="x=y") as (informer, _):
        server.put(PODS, "new")
        informer.put(pod(server, "new"))
        server.put(PODS, "a", status={"phase": "Running"})
        informer.put(pod(server, "a"))
        assert set(informer.objects) == {"a"}
        assert informer.objects["a"].status.phase == "Running"


@in_virtual_time
async def test_what_we_deleted_is_gone_and_no_late_event_brings_it_back() -> None:
    server = pods("a")
    async with informing(server) as (informer, _), informer.changes() as changes:
        await anext(changes)
        server.put(PODS, "a", status={"phase": "Running"})
        server.drop(PODS, "a")
        informer.drop("a")
        assert await anext(changes) == {"a"}
        assert known(informer) == {}
        await server.flush()
        server.put(PODS, "b")
        await server.flush()
        assert await anext(changes) == {"b"}
        server.put(PODS, "a")
        await server.flush()
        assert known(informer) == there(server)
        assert not informer._dropped


@in_virtual_time
async def test_another_one_of_the_same_name_is_not_dropped_by_the_uid_of_the_first() -> None:
    server = pods("a")
    async with informing(server) as (informer, _):
        uid = pod(server, "a").metadata.uid
        server.drop(PODS, "a")
        server.put(PODS, "a")
        await server.flush()
        informer.drop("a", uid)
        assert known(informer) == there(server)
        server.put(PODS, "a", status={"phase": "Running"})
        await server.flush()
        assert known(informer) == there(server)


@in_virtual_time
async def test_what_a_finalizer_holds_is_there_until_its_end_is_told() -> None:
    server = pods("a")
    async with informing(server) as (informer, _):
        server.put(PODS, "a", metadata={"deletionTimestamp": "2026-11-22T09:00:00Z"})
        informer.drop("a")
        await server.flush()
        assert known(informer) == there(server)
        informer.drop("a")
        assert known(informer) == there(server)
        server.drop(PODS, "a")
        await server.flush()
        assert known(informer) == {}


@in_virtual_time
async def test_an_object_that_was_dropped_by_mistake_is_back_after_a_list() -> None:
    server = pods("a")
    async with informing(server) as (informer, _):
        informer.drop("a")
        server.forget()
        await server.cut()
        await asyncio.sleep(3)
        assert known(informer) == there(server)


# What cannot be read


@in_virtual_time
async def test_an_object_that_cannot_be_read_changes_nothing_but_the_log() -> None:
    server = pods("good", "turns-bad", "bad")
    server.put(PODS, "bad", **UNREADABLE)
    with capture_logs() as logs:
        async with informing(server) as (informer, api), informer.changes() as changes:
            assert await anext(changes) == {"good", "turns-bad"}
            old = informer.objects["turns-bad"]
            server.put(PODS, "turns-bad", **UNREADABLE)
            server.put(PODS, "good", status={"phase": "Running"})
            await server.flush()
            assert await anext(changes) == {"good"}
            assert informer.objects["turns-bad"] == old
            server.forget()
            await server.cut()
            await asyncio.sleep(1)  # a list sweeps neither
            assert informer.objects["turns-bad"] == old
            assert len(api.calls("list")) == 2
            server.drop(PODS, "turns-bad")
            server.put(PODS, "bad", spec={})
            await server.flush()
            assert set(informer.objects) == {"good", "bad"}
    unreadable = [one["name"] for one in logs if one["event"] == "object_unreadable"]
    assert unreadable == ["bad", "turns-bad", "bad", "turns-bad"]


RUBBISH: Sequence[dict[str, Any]] = [
    {"metadata": 7},
    {"metadata": {"name": 7}},
    {"metadata": {"name": "a", "resourceVersion": 7}},
]


@pytest.mark.parametrize("found", RUBBISH)
def test_a_watch_that_talks_rubbish_leads_to_a_list(found: dict[str, Any]) -> None:
    _lists_after(found)


@in_virtual_time
async def _lists_after(found: dict[str, Any]) -> None:
    server = pods("a")
    async with informing(server) as (informer, api):
        await server.say(PODS, "MODIFIED", found)
        server.put(PODS, "b")
        await asyncio.sleep(1)
        assert len(api.calls("list")) == 2
        assert known(informer) == there(server)


@in_virtual_time
async def test_an_error_of_a_watch_is_an_interruption() -> None:
    server = pods("a")
    async with informing(server) as (informer, api):
        status = {"kind": "Status", "code": 500, "message": "etcd is away"}
        await server.say(PODS, "ERROR", status)
        server.put(PODS, "b")
        await asyncio.sleep(1)
        assert known(informer) == there(server)
        assert len(api.calls("list")) == 1


# Trouble


async def away(_call: Call) -> None:
    raise ApiUnavailable("the API server does not answer")


async def forbidden(_call: Call) -> None:
    raise ApiForbidden(403, "Forbidden", "no")


async def at_once(_call: Call) -> None:
    pass


async def expired(call: Call) -> None:
    if call.verb == "watch":
        raise ApiExpired(410, "Expired", "too old")


@in_virtual_time
async def test_while_the_server_is_away_it_keeps_what_it_knew() -> None:
    server = pods("a")
    with capture_logs() as logs:
        async with informing(server) as (informer, api):
            before = known(informer)
            api.before = away
            await server.cut()
            server.put(PODS, "b")
            server.drop(PODS, "a")
            await asyncio.sleep(3600)
            assert known(informer) == before
            assert informer.synced
            api.before = at_once
            await asyncio.sleep(11)
            await server.flush()
            assert known(informer) == there(server)
            assert len(api.calls("list")) == 1
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["watch_interrupted"]


async def gaps(api: WatchedApi, verb: str, seconds: float) -> list[float]:
    """Seconds between what is asked."""
    times: list[float] = []
    inner = api.before

    async def note(call: Call) -> None:
        if call.verb == verb:
            times.append(now())
        await inner(call)

    api.before = note
    await asyncio.sleep(seconds)
    return [after - before for before, after in itertools.pairwise(times)]


TROUBLE: dict[str, tuple[str, Callable[[Call], Any]]] = {
    "a list that is refused": ("list", forbidden),
    "a list without a server": ("list", away),
    "a watch that is always too old": ("watch", expired),
}


@pytest.mark.parametrize("draw", [0.0, 0.999])
@pytest.mark.parametrize("how", TROUBLE)
def test_trouble_that_stays_is_asked_about_less_and_less(how: str, draw: float) -> None:
    _backs_off(*TROUBLE[how], draw)


@in_virtual_time
async def _backs_off(verb: str, hook: Callable[[Call], Any], draw: float) -> None:
    api = WatchedApi(pods("a"))
    api.before = hook
    informer = Informer(api, PODS, Pod, now=now, draw=lambda: draw)
    running = asyncio.create_task(informer.run())
    seen = await gaps(api, verb, 300)
    assert 0.25 <= seen[0] <= 0.5
    assert seen == pytest.approx(sorted(seen))
    assert 5 <= seen[-1] <= 10
    assert not informer.synced or verb == "watch"
    running.cancel()


@in_virtual_time
async def test_watches_that_end_at_once_are_no_reason_to_ask_at_once() -> None:
    """As a proxy or a server that is ending gives them: with status 200, and nothing."""
    server = pods("a")
    async with informing(server) as (informer, api):
        server.brief = True
        await server.end()
        seen = await gaps(api, "watch", 300)
        assert len(seen) < 50
        assert known(informer) == there(server)


@in_virtual_time
async def test_after_a_long_trouble_the_next_one_is_the_first_again() -> None:
    server = pods("a")
    async with informing(server) as (_, api):
        api.before = away
        await server.cut()
        await asyncio.sleep(600)
        api.before = at_once
        await asyncio.sleep(11)
        server.put(PODS, "b")
        await server.flush()
        await server.cut()  # it goes on at once, for it has heard something
        begun = len(api.calls("watch"))
        await server.cut()
        await asyncio.sleep(0.5)
        assert len(api.calls("watch")) == begun + 1


@in_virtual_time
async def test_trouble_now_and_then_is_each_time_the_first() -> None:
    server = pods("a")
    async with informing(server) as (_, api):
        await asyncio.sleep(20)
        for _ in range(10):
            begun = len(api.calls("watch"))
            await server.cut()
            await asyncio.sleep(0.5)
            assert len(api.calls("watch")) == begun + 1
            await asyncio.sleep(20)
        assert len(api.calls("list")) == 1


# Readers


@in_virtual_time
async def test_a_reader_is_told_every_name_once_all_is_read_and_not_before() -> None:
    server = pods("a", "b")
    api = WatchedApi(server)
    api.before = away
    informer = Informer(api, PODS, Pod, draw=lambda: 0.5)
    running = asyncio.create_task(informer.run())
    async with informer.changes() as changes:
        told = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(1)
        server.put(PODS, "ours")
        informer.put(pod(server, "ours"))
        server.put(PODS, "not-ours-any-more")
        informer.put(pod(server, "not-ours-any-more"))
        server.drop(PODS, "not-ours-any-more")
        informer.drop("not-ours-any-more")
        await asyncio.sleep(1)
        assert not told.done()
        assert not informer.synced
        assert "ours" in informer.objects
        api.before = at_once
        assert await told == {"a", "b", "ours"}
    assert await first(informer) == {"a", "b", "ours"}
    running.cancel()


@in_virtual_time
async def test_a_reader_of_nothing_is_told_that_all_is_read() -> None:
    async with informing(pods()) as (informer, _):
        assert await first(informer) == set()


class Churn:
    """What may happen to a server, its watches, and our own writes."""

    def __init__(self, server: WatchedServer, informer: Informer[Pod]) -> None:
        self._server = server
        self._informer = informer
        self._late: list[Pod] = []
        self._number = 0

    async def they_put(self, name: str) -> None:
        self._number += 1
        self._server.put(PODS, name, status={"phase": f"{self._number}"})

    async def they_drop(self, name: str) -> None:
        if self._server.find(PODS, name):
            self._server.drop(PODS, name)

    async def we_put(self, name: str) -> None:
        await self.they_put(name)
        self._informer.put(pod(self._server, name))

    async def we_put_and_hear_late(self, name: str) -> None:
        await self.they_put(name)
        self._late.append(pod(self._server, name))

    async def we_drop(self, name: str) -> None:
        if self._server.find(PODS, name):
            uid = pod(self._server, name).metadata.uid
            self._server.drop(PODS, name)
            self._informer.drop(name, uid)

    async def hear(self, _: str) -> None:
        while self._late:
            self._informer.put(self._late.pop())

    async def cut(self, _: str) -> None:
        await self._server.cut()

    async def end(self, _: str) -> None:
        await self._server.end()

    async def forget(self, _: str) -> None:
        self._server.forget()

    async def tell(self, _: str) -> None:
        await self._server.flush()

    async def wait(self, _: str) -> None:
        await asyncio.sleep(1)


STEPS = [step for name, step in vars(Churn).items() if not name.startswith("_")]


@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from("abcd")), max_size=40))
def test_whatever_happens_in_the_end_the_copy_is_what_is_there(
    steps: list[tuple[Callable[[Churn, str], Any], str]],
) -> None:
    _converges(steps)


@in_virtual_time
async def _converges(steps: list[tuple[Callable[[Churn, str], Any], str]]) -> None:
    server = pods("a", "b")
    async with informing(server) as (informer, _):
        churn = Churn(server, informer)
        for step, name in steps:
            await step(churn, name)
        await asyncio.sleep(30)
        await server.flush()
        await churn.hear("")
        assert known(informer) == there(server)
