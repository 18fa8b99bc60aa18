"""Every fault does what it says, seen by a client that hides nothing."""

import asyncio
import itertools
import socket
import time

import msgspec
import pytest

from ingest_simulator.camera import Codec, SimulatedCamera
from ingest_simulator.faults import Fault, FaultKind
from ingest_simulator.messages import Method
from ingest_simulator.simulator import Simulator
from tests.simulator.raw_client import RawClient, closed

HANDSHAKE = [Method.OPTIONS, Method.DESCRIBE, Method.SETUP, Method.PLAY]
OFFER = "RTP/AVP/TCP;unicast;interleaved=0-1"


async def silent(client: RawClient, seconds: float = 0.15) -> bool:
    """Whether nothing at all comes, not even an end."""
    try:
        async with asyncio.timeout(seconds):
            await client.reader.readexactly(1)
    except TimeoutError:
        return True
    return False


async def test_refuse_resets_as_soon_as_the_camera_is_named(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.REFUSE))
    async with await RawClient.open(url) as client:
        with pytest.raises(ConnectionResetError):
            await client.ask("OPTIONS")
    simulator.heal("cam")
    async with await RawClient.open(url) as client:
        await client.play()


async def test_refuse_on_a_port_of_its_own_is_a_refused_connection(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(msgspec.structs.replace(small, own_port=True))
    async with await RawClient.open(url) as living:
        await living.play()
        simulator.fault("cam", Fault(FaultKind.REFUSE))
        with pytest.raises(ConnectionRefusedError):
            await RawClient.open(url)
        await living.timestamps(2)
    simulator.heal("cam")
    assert simulator.url("cam") == url
    async with await RawClient.open(url) as client:
        await client.play()


async def test_a_shut_port_refuses_until_it_is_opened(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    simulator.close_port()
    with pytest.raises(ConnectionRefusedError):
        await RawClient.open(url)
    simulator.open_port()
    async with await RawClient.open(url) as client:
        await client.play()


async def test_a_silent_camera_accepts_and_says_nothing(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(msgspec.structs.replace(small, own_port=True))
    simulator.fault("cam", Fault(FaultKind.SILENT))
    async with await RawClient.open(url) as client:
        client.send("OPTIONS")
        assert await silent(client)
        (record,) = simulator.sessions("cam")
        assert record.closed is None


@pytest.mark.parametrize("method", HANDSHAKE)
async def test_hang_takes_one_request_and_never_answers(
    simulator: Simulator, small: SimulatedCamera, method: Method
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.HANG, method=method))
    async with await RawClient.open(url) as client:
        for each in HANDSHAKE[: HANDSHAKE.index(method)]:
            assert (await client.ask(each, Transport=OFFER)).status == 200
        client.send(method, Transport=OFFER)
        assert await silent(client)
    await closed(simulator, "cam")


async def test_dribble_answers_a_byte_at_a_time(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.DRIBBLE, interval=0.005))
    async with await RawClient.open(url) as client:
        begin = time.monotonic()
        reply = await client.ask("OPTIONS")
        assert reply.status == 200
        assert time.monotonic() - begin >= 0.005 * 60


async def test_dribble_in_mid_stream_brings_bytes_and_no_frame(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.DRIBBLE, after_frames=3, interval=0.02))
    async with await RawClient.open(url) as client:
        await client.play()
        await client.timestamps(3)
        begin = time.monotonic()
        head = await client.reader.readexactly(12)
        assert time.monotonic() - begin >= 0.02 * 11
        simulator.heal("cam")
        await client.reader.readexactly(int.from_bytes(head[2:4], "big") - 8)
        await client.timestamps(3)


@pytest.mark.parametrize(
    ("status", "method"),
    [(403, "DESCRIBE"), (404, "DESCRIBE"), (503, "DESCRIBE"), (453, "SETUP")],
)
async def test_a_status_is_answered_until_healed(
    simulator: Simulator, small: SimulatedCamera, status: int, method: str
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.STATUS, status=status))
    async with await RawClient.open(url) as client:
        assert (await client.ask("OPTIONS")).status == 200
        assert (await client.ask(method, Transport=OFFER)).status == status
        simulator.heal("cam")
        assert (await client.ask(method, Transport=OFFER)).status == 200


async def test_unauthorized_always_comes_with_a_challenge(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    async with await RawClient.open(f"{url}?fault=401") as client:
        reply = await client.ask("DESCRIBE", Authorization="Basic dTpw")
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://127.0.0.1:1/x", "rtsp://o/"])
async def test_a_redirect_leads_wherever_it_is_told(
    simulator: Simulator, small: SimulatedCamera, location: str
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.REDIRECT, status=301, location=location))
    async with await RawClient.open(url) as client:
        reply = await client.ask("DESCRIBE")
    assert (reply.status, reply.headers["location"]) == (301, location)


async def test_a_hostile_sdp_is_sent_as_it_is(simulator: Simulator, small: SimulatedCamera) -> None:
    url = await simulator.add(small)
    text = "v=0\r\nm=video 0 RTP/AVP 96\r\na=control:file:///etc/passwd\r\n"
    simulator.fault("cam", Fault(FaultKind.SDP, sdp=text))
    async with await RawClient.open(url) as client:
        assert (await client.ask("DESCRIBE")).body.decode() == text


async def test_without_parameter_sets_the_stream_begins_within_a_group(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.NO_PARAMETER_SETS))
    async with await RawClient.open(url) as client:
        assert b"sprop" not in (await client.ask("DESCRIBE")).body
        await client.play()
        frames = [await client.frame() for _ in range(6)]
    kinds = [frame[0].payload[0] & 0x1F for frame in frames]
    assert kinds == [1, 1, 1, 1, 1, 7]


async def test_b_frames_show_the_scene_out_of_order(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    async with await RawClient.open(f"{url}/b_frames") as client:
        await client.play()
        timestamps = await client.timestamps(20)
    relative = [(at - timestamps[0]) % 2**32 // 4500 for at in timestamps]
    assert relative != sorted(relative)
    assert sorted(relative) == list(range(20))


async def test_a_query_adds_sound(simulator: Simulator, small: SimulatedCamera) -> None:
    url = await simulator.add(small)
    async with await RawClient.open(f"{url}?fault=audio") as client:
        assert b"m=audio" in (await client.ask("DESCRIBE")).body
        await client.play(tracks=(0, 1))
        assert (await client.packet(2)).payload_type == 0


async def test_dead_udp_is_dead_and_tcp_beside_it_lives(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.DEAD_UDP))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        receiver.bind(("127.0.0.1", 0))
        async with await RawClient.open(url) as dead, await RawClient.open(url) as living:
            await dead.play(udp=receiver.getsockname()[1])
            await living.play()
            await living.timestamps(5)
            with pytest.raises(BlockingIOError):
                receiver.recv(1)


async def test_a_stall_begins_when_told_and_ends_with_a_keyframe(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.STALL, after_frames=4))
    async with await RawClient.open(url) as client:
        await client.play()
        await client.timestamps(4)
        assert await silent(client)
        simulator.heal("cam")
        assert (await client.frame())[0].payload[0] & 0x1F == 7
    assert simulator.frames("cam")[4].keyframe


async def test_a_stall_by_query_concerns_its_own_session_only(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    async with (
        await RawClient.open(f"{url}?fault=stall&after=0.5") as stalled,
        await RawClient.open(url) as living,
    ):
        await stalled.play()
        await living.play()
        await stalled.timestamps(2)
        await living.timestamps(20)
        await stalled.timestamps(simulator.sessions("cam")[0].frames - 2)
        assert await silent(stalled)


async def test_fin_ends_a_living_session_in_order(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    async with await RawClient.open(await simulator.add(small)) as client:
        await client.play()
        await client.timestamps(2)
        simulator.fault("cam", Fault(FaultKind.FIN))
        while await client.reader.read(65536):
            pass
    await closed(simulator, "cam")
    assert simulator.sessions("cam")[0].end == "fin"


async def test_rst_ends_a_living_session_by_reset(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    async with await RawClient.open(await simulator.add(small)) as client:
        await client.play()
        simulator.fault("cam", Fault(FaultKind.RST, after_frames=3))
        with pytest.raises(ConnectionResetError):
            await client.timestamps(100)
    assert simulator.sessions("cam")[0].end == "rst"


async def test_disconnect_resets_every_living_session(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    async with await RawClient.open(await simulator.add(small)) as client:
        await client.play()
        simulator.disconnect("cam")
        with pytest.raises(ConnectionResetError):
            await client.timestamps(100)
    assert simulator.sessions("cam")[0].end == "disconnected"


async def test_garbage_precedes_an_answer(simulator: Simulator, small: SimulatedCamera) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.GARBAGE, method=Method.DESCRIBE))
    async with await RawClient.open(url) as client:
        client.send("DESCRIBE")
        before = await client.reader.readuntil(b"RTSP/1.0 200")
    assert len(before) == 64 + len(b"RTSP/1.0 200")


async def test_garbage_comes_between_packets(simulator: Simulator, small: SimulatedCamera) -> None:
    async with await RawClient.open(await simulator.add(small)) as client:
        await client.play()
        simulator.fault("cam", Fault(FaultKind.GARBAGE, probability=1.0))
        with pytest.raises(AssertionError):
            await client.timestamps(100)
        simulator.heal("cam")
        for _ in range(5):
            await client.reader.readuntil(b"$\x00")


async def test_lost_packets_leave_gaps_in_the_numbers(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(msgspec.structs.replace(small, fps=100))
    simulator.fault("cam", Fault(FaultKind.LOSE, probability=0.3, seed=3))
    async with await RawClient.open(url) as client:
        await client.play()
        numbers = [(await client.packet()).sequence for _ in range(60)]
    gaps = [(b - a) % 65536 - 1 for a, b in itertools.pairwise(numbers)]
    assert 5 < sum(gaps) < 60


async def test_corrupted_packets_keep_their_header(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    async with await RawClient.open(url) as whole, await RawClient.open(url) as bad:
        await whole.play()
        good = [await whole.packet() for _ in range(5)]
        simulator.fault("cam", Fault(FaultKind.CORRUPT, probability=1))
        await bad.play()
        broken = [await bad.packet() for _ in range(5)]
    assert [len(packet.payload) for packet in good] == [len(packet.payload) for packet in broken]
    pairs = zip(good, broken, strict=True)
    assert all(packet.payload != other.payload for packet, other in pairs)


async def test_time_jumps_once_and_goes_on(simulator: Simulator, small: SimulatedCamera) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.TIME_JUMP, after_frames=3, offset=-10))
    async with await RawClient.open(url) as client:
        await client.play()
        assert differences(await client.timestamps(7)) == [
            4500,
            4500,
            4500 - 900_000,
            4500,
            4500,
            4500,
        ]


async def test_time_stops(simulator: Simulator, small: SimulatedCamera) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.TIME_STOP, after_frames=2))
    async with await RawClient.open(url) as client:
        await client.play()
        assert differences(await client.timestamps(6)) == [4500, 4500, 0, 0, 0]


async def test_time_runs_backwards(simulator: Simulator, small: SimulatedCamera) -> None:
    url = await simulator.add(small)
    simulator.fault("cam", Fault(FaultKind.TIME_BACKWARDS, after_frames=2))
    async with await RawClient.open(url) as client:
        await client.play()
        assert differences(await client.timestamps(6)) == [4500, 4500, -4500, -4500, -4500]


def differences(values: list[int]) -> list[int]:
    half = 2**31
    return [(b - a + half) % 2**32 - half for a, b in itertools.pairwise(values)]


async def test_a_resized_picture_brings_its_own_parameter_sets_and_goes_back(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    async with await RawClient.open(await simulator.add(small)) as client:
        await client.play()
        own = (await client.frame())[0].payload
        simulator.fault("cam", Fault(FaultKind.RESIZE, width=96, height=64))
        found = own
        while found[0] & 0x1F != 7 or found == own:
            found = (await client.frame())[0].payload
        simulator.heal("cam")
        while found[0] & 0x1F != 7 or found != own:
            found = (await client.frame())[0].payload


async def test_a_fault_in_a_url_that_cannot_be_is_refused(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(msgspec.structs.replace(small, codec=Codec.MJPEG))
    for wrong in ("/explode", "?fault=b_frames", "?fault=resize&width=3", "?fault=stall&after=x"):
        async with await RawClient.open(url + wrong) as client:
            assert (await client.ask("DESCRIBE")).status == 400
