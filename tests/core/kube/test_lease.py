"""Hold a Lease, in virtual time: when it is taken, until when it counts, and what ends it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from ingest_core import names
from ingest_core.errors import ApiForbidden, ApiRefused, ApiUnavailable, LeaseLost
from ingest_core.kube.client import Call
from ingest_core.kube.lease import FENCE, LeaseHolder
from ingest_core.kube.resources import LEASES
from tests.fakes.memory_api import MemoryApi, MemoryServer, put_lease
from tests.fakes.virtual_time import in_virtual_time

NAME = "operator"
DURATION = 10
RENEW = 3.0
HELD_FOR = FENCE * DURATION
LONGEST = 1.1 * RENEW  # between two looks
POD = "default-0_uid_"
BOOT = "a-boot"


def holder(
    server: MemoryServer,
    identity: str = "me",
    *,
    patient: bool = True,
    pod: str | None = None,
    offset: float = 0.0,
    boot: str = "",
) -> tuple[LeaseHolder, MemoryApi]:
    """One, and its line to the server; its clock is another one than the loop's by an offset."""
    api = MemoryApi(server)
    loop_time = asyncio.get_running_loop().time
    made = LeaseHolder(
        api,
        NAME,
        identity,
        duration=DURATION,
        renew=RENEW,
        manager="test",
        patient=patient,
        pod=pod,
        boot=boot,
        labels={"app": "camera-ingest"},
        now=lambda: loop_time() + offset,
        draw=lambda: 0.5,
    )
    return made, api


@asynccontextmanager
async def running(*holders: LeaseHolder) -> AsyncIterator[list["asyncio.Task[Any]"]]:
    tasks = [asyncio.create_task(one.run()) for one in holders]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, LeaseLost):
                await task


def lease(server: MemoryServer) -> Any:
    return server.find(LEASES, NAME)


async def away(_call: Call) -> None:
    raise ApiUnavailable("the API server does not answer")


async def at_once(_call: Call) -> None:
    pass


async def for_ever(_call: Call) -> None:
    await asyncio.Event().wait()


def now() -> float:
    return asyncio.get_running_loop().time()


async def taken(one: LeaseHolder, seconds: float = 60.0) -> float:
    """Seconds until it holds."""
    began = now()
    async with asyncio.timeout(seconds):
        await one.held.wait()
    return now() - began


# Taking it


@pytest.mark.parametrize("patient", [False, True])
def test_one_that_nobody_made_is_made_at_once(*, patient: bool) -> None:
    _makes(patient=patient)


@in_virtual_time
async def _makes(*, patient: bool) -> None:
    server = MemoryServer()
    one, api = holder(server, patient=patient)
    async with running(one):
        assert await taken(one) == 0
        assert one.holds
        assert lease(server)["metadata"]["labels"] == {"app": "camera-ingest"}
        spec = lease(server)["spec"]
        assert spec["holderIdentity"] == "me"
        assert spec["leaseDurationSeconds"] == DURATION
        assert spec["leaseTransitions"] == 0
        assert spec["acquireTime"] == spec["renewTime"]
        assert [call.verb for call in api.asked] == ["get", "create"]


@in_virtual_time
async def test_a_worker_takes_that_of_its_name_at_once() -> None:
    server = MemoryServer()
    put_lease(server, NAME, "just now", holder="predecessor", draining=True)
    one, _ = holder(server, patient=False)
    async with running(one):
        assert await taken(one) == 0
    found = lease(server)
    assert found["spec"]["holderIdentity"] == "me"
    assert found["spec"]["leaseTransitions"] == 1
    assert names.ANNOTATION_DRAINING not in found["metadata"]["annotations"]  # that one drained
    assert found["metadata"]["labels"]["app"] == "camera-ingest"
    assert len(found["metadata"]["labels"]) == 3  # and what others wrote


@in_virtual_time
async def test_a_candidate_waits_for_a_holder_whose_lease_is_deleted_by_hand() -> None:
    """It may act by it until it has heard, and makes it anew."""
    server = MemoryServer()
    leader, _ = holder(server, "leader")
    other, _ = holder(server, "other")
    async with running(leader, other):
        await taken(leader)
        for _ in range(8):  # at another moment between two renewals each time
            await asyncio.sleep(7.7)
            server.drop(LEASES, NAME)
        await asyncio.sleep(LONGEST + 1)
        assert (leader.holds, other.holds) == (True, False)
        assert lease(server)["spec"]["holderIdentity"] == "leader"


@pytest.mark.parametrize("renewed", ["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "soon"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_candidate_waits_until_the_holder_has_run_out_by_its_own_clock(
    renewed: str, offset: float
) -> None:
    _waits(renewed, offset)


@in_virtual_time
async def _waits(renewed: str, offset: float) -> None:
    server = MemoryServer()
    put_lease(server, NAME, renewed, holder="other", duration=20)
    one, _ = holder(server, offset=offset)
    async with running(one):
        assert 20 <= await taken(one) <= 20 + LONGEST
    assert lease(server)["spec"]["leaseTransitions"] == 1


@in_virtual_time
async def test_a_candidate_waits_for_as_long_as_the_holder_renews() -> None:
    server = MemoryServer()
    one, _ = holder(server)
    async with running(one):
        for number in range(100):
            put_lease(server, NAME, number, holder="other")
            await asyncio.sleep(DURATION - 1)
            assert not one.held.is_set()
        assert DURATION - (DURATION - 1) <= await taken(one) <= DURATION + LONGEST


@pytest.mark.parametrize("nobody", [None, ""])
def test_one_that_was_let_go_is_taken_at_the_next_look(nobody: str | None) -> None:
    _takes_over(nobody)


@in_virtual_time
async def _takes_over(nobody: str | None) -> None:
    server = MemoryServer()
    put_lease(server, NAME, 1, holder="other")
    one, _ = holder(server)
    async with running(one):
        await asyncio.sleep(1)
        put_lease(server, NAME, 1, holder=nobody)
        assert await taken(one) <= LONGEST


# Taking it from one that may live


OTHERS = "worker_pod-1_11"  # the identity of a process in another pod


def worker(
    server: MemoryServer, pod: str | None = "worker_pod-2_", number: int = 22
) -> tuple[LeaseHolder, MemoryApi]:
    """One that takes the Lease at once."""
    return holder(server, f"{pod or 'worker_'}{number}", patient=False, pod=pod)


def settling(server: MemoryServer) -> str | None:
    """What the Lease says of it."""
    said: str | None = lease(server)["metadata"]["annotations"].get(names.ANNOTATION_SETTLING)
    return said


@in_virtual_time
async def test_the_first_of_a_name_is_alone_at_once() -> None:
    one, _ = worker(MemoryServer())
    async with running(one):
        await taken(one)
        assert one.term.alone <= one.term.since


@pytest.mark.parametrize("duration", [3, 20])
def test_a_holder_that_may_live_is_waited_for_as_long_as_its_lease_counts(duration: int) -> None:
    _outlived(duration)


@in_virtual_time
async def _outlived(duration: int) -> None:
    server = MemoryServer()
    put_lease(server, NAME, 1, holder=OTHERS, duration=duration)
    one, api = worker(server)

    async def slow(_call: Call) -> None:
        await asyncio.sleep(1)

    api.after = slow
    with capture_logs() as logs:
        async with running(one):
            assert await taken(one) == 2
            assert one.term.since == now()
            assert one.term.alone == now() + duration, "it may have renewed until we took it"
    assert logs == [
        {
            "event": "lease_taken_from_one_that_may_live",
            "log_level": "warning",
            "lease": NAME,
            "holder": OTHERS,
            "identity": "worker_pod-2_22",
            "exclusive_after_seconds": float(duration),
        }
    ]


@in_virtual_time
async def test_what_was_owed_for_an_answer_that_was_lost_is_owed_still() -> None:
    server = MemoryServer()
    put_lease(server, NAME, 1, holder=OTHERS)
    one, api = worker(server)
    api.after = away

    async def heals(call: Call) -> None:
        if call.verb == "update":
            api.after = at_once
            raise ApiUnavailable("the answer is lost")

    api.after = heals
    with capture_logs():
        async with running(one):
            await taken(one)
    assert len(api.calls("update")) == 2
    assert one.term.alone == one.term.since + DURATION


@in_virtual_time
async def test_a_term_that_begins_meanwhile_waits_for_no_longer() -> None:
    server = MemoryServer()
    put_lease(server, NAME, 1, holder=OTHERS, duration=60)
    one, api = worker(server)
    with capture_logs():
        async with running(one):
            await taken(one)
            first = one.term
            api.before = away
            await asyncio.sleep(DURATION)
            api.before = at_once
            await asyncio.sleep(1)
            assert one.term is not first
            assert one.term.alone == first.alone


@in_virtual_time
async def test_who_takes_it_while_it_settles_knows_for_how_long() -> None:
    server = MemoryServer()
    put_lease(server, NAME, 1, holder=OTHERS, duration=60)
    first, _ = worker(server)
    with capture_logs() as logs:
        async with running(first):
            await taken(first)
            assert settling(server) == "60"
            await asyncio.sleep(30)
        again, _ = worker(server, number=23)  # a container of the same pod
        async with running(again):
            await taken(again)
            assert first.term.alone <= again.term.alone <= first.term.alone + LONGEST + 1
            await asyncio.sleep(60 - 30 + 2 * LONGEST)
            assert settling(server) is None, "it has settled"
        last, _ = worker(server, number=24)
        async with running(last):
            await taken(last)
            assert last.term.alone <= last.term.since
    warned = [one["identity"] for one in logs if one["event"].startswith("lease_taken")]
    assert warned == ["worker_pod-2_22", "worker_pod-2_23"]


@in_virtual_time
async def test_while_it_settles_it_is_not_let_go_of_and_afterwards_it_is() -> None:
    server = MemoryServer()
    put_lease(server, NAME, 1, holder=OTHERS)
    with capture_logs():
        early, late = worker(server)[0], worker(server, number=23)[0]
        async with running(early):
            await taken(early)
            await asyncio.sleep(DURATION - 1)
        await early.release()
        assert not early.holds
        assert lease(server)["spec"]["holderIdentity"] == "worker_pod-2_22"
        async with running(late):
            await taken(late)
            await asyncio.sleep(DURATION)
        await late.release()
        assert "holderIdentity" not in lease(server)["spec"]


@in_virtual_time
async def test_annotations_of_others_stay() -> None:
    server = MemoryServer()
    put_lease(server, NAME, 1, holder="other", draining=True)
    theirs = {**lease(server)["metadata"]["annotations"], "example.com/by": "a-person"}
    server.put(LEASES, NAME, metadata={"annotations": theirs})
    one, _ = holder(server, patient=False)
    with capture_logs():
        async with running(one):
            await taken(one)
            await asyncio.sleep(60)
    assert lease(server)["metadata"]["annotations"] == {"example.com/by": "a-person"}


# Going on with the term of an earlier process of its pod


def started(
    server: MemoryServer, number: int, *, pod: str | None = POD, boot: str = BOOT
) -> tuple[LeaseHolder, MemoryApi]:
    """A process of a pod."""
    return holder(server, f"{POD}{number}", patient=False, pod=pod, boot=boot)


async def dead_after(server: MemoryServer, seconds: float, number: int = 1) -> LeaseHolder:
    """A process that took it, and died so many seconds later."""
    first, _ = started(server, number)
    async with running(first):
        await taken(first)
        await asyncio.sleep(seconds)
    return first


@in_virtual_time
async def test_who_is_started_again_in_time_goes_on_with_the_term() -> None:
    server = MemoryServer()
    ended = await dead_after(server, 60.0)
    await asyncio.sleep(2.0)
    second, _ = started(server, 2)
    async with running(second):
        assert await taken(second) == 0
        assert second.term.since == ended.term.since
        assert second.until == now() + HELD_FOR
        assert second.term.alone < 0
    assert lease(server)["spec"]["leaseTransitions"] == 1


@in_virtual_time
async def test_a_third_one_goes_on_with_what_the_second_one_inherited() -> None:
    server = MemoryServer()
    began = (await dead_after(server, 60.0)).term.since
    await dead_after(server, 0.0, 2)
    third, _ = started(server, 3)
    async with running(third):
        await taken(third)
        assert third.term.since == began


@pytest.mark.parametrize("late", [0.0, 1.0, 2.0, 3.0, 5.0, 6.0, 9.0])
def test_it_goes_on_only_while_the_last_renewal_that_was_known_counts_for_everybody(
    late: float,
) -> None:
    """Whatever became of the one after that, no watcher can have counted the Lease out."""
    _goes_on_in_time(late)


@in_virtual_time
async def _goes_on_in_time(late: float) -> None:
    server = MemoryServer()
    first, api = started(server, 1)
    written = asyncio.Event()

    async def hangs(call: Call) -> None:  # the last renewal is written, and its answer is lost
        written.set()
        await for_ever(call)

    async with running(first):
        await taken(first)
        await asyncio.sleep(10 * RENEW)
        api.after = hangs
        await written.wait()
    await asyncio.sleep(late)
    second, _ = started(server, 2)
    async with running(second):
        await taken(second)
        goes_on = now() < first.renewed + 0.9 * DURATION
        assert second.term.since == (first.term.since if goes_on else now())


@pytest.mark.parametrize(
    ("pod", "boot"),
    [
        (POD, "another-boot"),
        (POD, ""),
        ("default-0_another_", BOOT),  # may be alive
        (None, BOOT),
    ],
)
def test_anybody_else_begins_a_term(pod: str | None, boot: str) -> None:
    _begins(pod, boot)


@in_virtual_time
async def _begins(pod: str | None, boot: str) -> None:
    server = MemoryServer()
    await dead_after(server, 60.0)
    second, _ = started(server, 2, pod=pod, boot=boot)
    with capture_logs():
        async with running(second):
            await taken(second)
            assert second.term.since == now()


@in_virtual_time
async def test_who_lapsed_leaves_no_more_than_what_he_had_since() -> None:
    """What followed from the lapse may not be written yet: the next one has to wait for it, too."""
    server = MemoryServer()
    first, api = started(server, 1)
    with capture_logs():
        async with running(first):
            await taken(first)
            api.before = away
            await asyncio.sleep(DURATION)
            first.held.clear()
            api.before = at_once
            await taken(first)
            assert names.ANNOTATION_HOLDING not in lease(server)["metadata"]["annotations"]
            await asyncio.sleep(LONGEST)
            again = first.term.since
    second, _ = started(server, 2)
    async with running(second):
        await taken(second)
        assert second.term.since == again


@in_virtual_time
async def test_what_is_inherited_of_a_lease_that_goes_away_meanwhile_is_nothing() -> None:
    server = MemoryServer()
    await dead_after(server, 60.0)
    second, api = started(server, 2)

    async def deleted(call: Call) -> None:
        if call.verb == "update":
            server.drop(LEASES, NAME)
            api.before = at_once

    api.before = deleted
    with capture_logs():
        async with running(second):
            await taken(second)
            assert second.term.since == now()


# Keeping it


@in_virtual_time
async def test_it_is_renewed_all_the_time_and_stays_the_same() -> None:
    server = MemoryServer()
    one, api = holder(server)
    async with running(one):
        await taken(one)
        first, term = lease(server)["spec"], one.term
        renewals = set()
        for _ in range(300):
            await asyncio.sleep(1)
            renewals.add(lease(server)["spec"]["renewTime"])
            assert one.holds
            assert now() - one.renewed <= LONGEST
            assert one.until == one.renewed + HELD_FOR
        last = lease(server)["spec"]
        assert last["acquireTime"] == first["acquireTime"]
        assert last["leaseTransitions"] == 0
        assert one.term is term  # held without a lapse
        assert 90 <= len(renewals) <= 110
        assert len(api.calls("get")) == 1  # what it wrote, it knows


@in_virtual_time
async def test_it_counts_from_before_the_renewal_was_sent() -> None:
    """Whoever watches sees the renewal later than that, and so its end, too."""
    server = MemoryServer()
    one, api = holder(server)
    sent: list[float] = []

    async def slow(call: Call) -> None:
        if call.verb == "get":
            sent.append(now())
        await asyncio.sleep(1.5)

    api.before = api.after = slow
    async with running(one):
        with pytest.raises(TimeoutError):  # a get and a create of 3 s each are too long for a try
            await taken(one)
        api.before = at_once
        await taken(one)
        assert one.until == sent[-1] + HELD_FOR
        assert one.until < now() - 3 + DURATION


@in_virtual_time
async def test_without_a_server_it_ends_by_itself_before_the_lease_does() -> None:
    server = MemoryServer()
    one, api = holder(server)
    async with running(one):
        await taken(one)
        began, term = now(), one.term
        api.before = away
        seen = []
        for seconds in (HELD_FOR - 0.01, 0.01, DURATION - HELD_FOR, 600):
            await asyncio.sleep(seconds)
            seen.append(one.holds)
        assert seen == [True, False, False, False]
        assert one.until < began + DURATION
        api.before = at_once
        await asyncio.sleep(1)
        assert one.holds
        assert one.term is not term  # what lived by the first one has ended
        assert term.until < one.term.since <= now()


@pytest.mark.parametrize(
    ("error", "dismissed"),
    [
        (ApiForbidden(403, "Forbidden", "no such right"), True),
        (ApiRefused(401, "Unauthorized", "nobody"), True),
        (ApiRefused(500, "InternalError", "broken"), False),
        (ApiUnavailable("the API server does not answer"), False),
    ],
)
def test_who_may_renew_no_more_is_dismissed_after_as_long_as_a_renewal_counts(
    error: Exception, *, dismissed: bool
) -> None:
    _dismisses(error, dismissed=dismissed)


@in_virtual_time
async def _dismisses(error: Exception, *, dismissed: bool) -> None:
    server = MemoryServer()
    one, api = holder(server)

    async def refuse(_call: Call) -> None:
        raise error

    async with running(one):
        await taken(one)
        api.before = away
        await asyncio.sleep(2 * DURATION)
        api.before = refuse
        await asyncio.sleep(DURATION)
        assert not one.dismissed.is_set(), "a server that has just started may refuse"
        await asyncio.sleep(LONGEST)
        assert one.dismissed.is_set() is dismissed
        api.before = at_once
        await asyncio.sleep(1)
        assert (one.holds, one.dismissed.is_set()) == (True, False)


@in_virtual_time
async def test_an_outage_is_one_line_in_the_log_and_the_next_one_another() -> None:
    one, api = holder(MemoryServer())
    with capture_logs() as logs:
        async with running(one):
            for _ in range(3):
                api.before = away
                await asyncio.sleep(600)
                api.before = at_once
                await asyncio.sleep(60)
    assert [one["event"] for one in logs] == ["lease_not_renewed"] * 3


@in_virtual_time
async def test_a_call_that_hangs_does_not_cost_the_lease() -> None:
    server = MemoryServer()
    one, api = holder(server)
    async with running(one):
        await taken(one)
        term = one.term

        async def hang_once(call: Call) -> None:
            api.before = at_once
            await for_ever(call)

        for _ in range(20):
            api.before = hang_once
            for _ in range(100):
                await asyncio.sleep(0.1)
                assert one.holds
        assert one.term is term


@in_virtual_time
async def test_an_answer_that_is_lost_costs_a_look() -> None:
    server = MemoryServer()
    one, api = holder(server)
    async with running(one):
        await taken(one)
        api.after = away
        await asyncio.sleep(RENEW + 0.25)
        api.after = at_once
        known = now()
        await asyncio.sleep(1)
        assert one.renewed > known
        assert one.holds
        assert lease(server)["spec"]["leaseTransitions"] == 0


@in_virtual_time
async def test_what_another_wrote_on_it_is_looked_at_and_it_goes_on() -> None:
    server = MemoryServer()
    one, _ = holder(server)
    async with running(one):
        await taken(one)
        term = one.term
        for number in range(20):
            server.put(LEASES, NAME, metadata={"labels": {"by": f"a-person-{number}"}})
            await asyncio.sleep(RENEW)
            assert one.holds
        assert one.term is term
        assert lease(server)["metadata"]["labels"]["by"] == "a-person-19"


@in_virtual_time
async def test_one_that_was_deleted_is_made_anew() -> None:
    server = MemoryServer()
    one, _ = holder(server)
    async with running(one):
        await taken(one)
        server.drop(LEASES, NAME)
        await asyncio.sleep(LONGEST + 1)
        assert lease(server)["spec"]["holderIdentity"] == "me"
        assert one.holds


@in_virtual_time
async def test_one_that_cannot_be_read_is_looked_at_again() -> None:
    server = MemoryServer()
    server.put(LEASES, NAME, spec={"leaseDurationSeconds": "many"})
    one, _ = holder(server)
    with capture_logs() as logs:
        async with running(one):
            await asyncio.sleep(5)
            server.drop(LEASES, NAME)
            assert await taken(one) < 1
    assert {one["event"] for one in logs} == {"lease_not_renewed"}


# Losing it and letting go


@pytest.mark.parametrize("other", ["another", None])
def test_one_that_another_took_is_lost_for_good(other: str | None) -> None:
    _loses(other)


@in_virtual_time
async def _loses(other: str | None) -> None:
    server = MemoryServer()
    one, _ = holder(server)
    async with running(one) as (task,):
        await taken(one)
        put_lease(server, NAME, 1, holder=other)
        with capture_logs() as logs, pytest.raises(LeaseLost, match=f"by {other or 'nobody'}, so"):
            await task
        assert not one.holds
    assert [(log["event"], log["holder"], log["identity"]) for log in logs] == [
        ("lease_lost", other, "me")
    ]


@in_virtual_time
async def test_whoever_lets_go_lets_a_candidate_in_at_its_next_look() -> None:
    server = MemoryServer()
    one, _ = holder(server, "one")
    two, _ = holder(server, "two")
    async with running(one) as (task,):
        await taken(one)
        async with running(two):
            await asyncio.sleep(1)
            task.cancel()
            await one.release()
            assert not one.holds
            assert lease(server)["spec"].get("holderIdentity") is None
            assert await taken(two) <= LONGEST
            assert two.holds
    assert lease(server)["spec"]["holderIdentity"] == "two"


@in_virtual_time
async def test_a_renewal_that_was_broken_off_and_written_all_the_same_keeps_nobody_out() -> None:
    """Who ends says so on the Lease first: the answer to that may come too late."""
    server = MemoryServer()
    one, api = holder(server, "one")
    async with running(one) as (task,):
        await taken(one)
        await asyncio.sleep(1)
        api.after = for_ever
        version = server.version
        one.annotate("draining", "true")
        await asyncio.sleep(0.1)
        assert server.version > version
        task.cancel()
        api.after = at_once
        await one.release()
    assert lease(server)["spec"].get("holderIdentity") is None


@in_virtual_time
async def test_whoever_took_it_before_it_was_let_go_keeps_it() -> None:
    server = MemoryServer()
    one, _ = holder(server, "one")
    async with running(one) as (task,):
        await taken(one)
        await asyncio.sleep(1)
        task.cancel()
        put_lease(server, NAME, 1, holder="other")
        await one.release()
    assert lease(server)["spec"]["holderIdentity"] == "other"


@in_virtual_time
async def test_what_is_not_held_is_not_let_go() -> None:
    server = MemoryServer()
    put_lease(server, NAME, 1, holder="other")
    one, api = holder(server)
    await one.release()
    async with running(one):
        await asyncio.sleep(5)
    await one.release()
    assert not api.calls("update")
    assert lease(server)["spec"]["holderIdentity"] == "other"


@in_virtual_time
async def test_letting_go_without_a_server_is_no_error() -> None:
    server = MemoryServer()
    one, api = holder(server)
    async with running(one):
        await taken(one)
    api.before = away
    await one.release()
    assert not one.holds


# Saying something on it


@in_virtual_time
async def test_what_is_said_on_it_is_written_at_once_and_stays() -> None:
    server = MemoryServer()
    one, _ = holder(server)
    async with running(one):
        await taken(one)
        await asyncio.sleep(0.1)
        one.annotate("draining", "true")
        await asyncio.sleep(0.01)
        assert lease(server)["metadata"]["annotations"] == {"draining": "true"}
        await asyncio.sleep(60)
        assert lease(server)["metadata"]["annotations"] == {"draining": "true"}


@in_virtual_time
async def test_what_is_said_while_it_is_renewed_is_not_lost() -> None:
    server = MemoryServer()
    one, api = holder(server)
    async with running(one):
        await taken(one)

        async def meanwhile(_: Call) -> None:
            api.after = at_once
            one.annotate("draining", "true")

        api.after = meanwhile
        await asyncio.sleep(RENEW + 0.1)
        assert lease(server)["metadata"]["annotations"] == {"draining": "true"}


@in_virtual_time
async def test_what_is_said_before_it_is_taken_is_written_when_it_is() -> None:
    server = MemoryServer()
    one, _ = holder(server)
    one.annotate("draining", "true")
    async with running(one):
        await taken(one)
    assert lease(server)["metadata"]["annotations"] == {"draining": "true"}


@in_virtual_time
async def test_talking_without_a_server_does_not_make_it_ask_without_end() -> None:
    server = MemoryServer()
    one, api = holder(server)
    async with running(one):
        await taken(one)
        api.before = away
        asked = len(api.asked)
        one.annotate("draining", "true")
        await asyncio.sleep(30)
        assert len(api.asked) - asked < 30 / 0.25
