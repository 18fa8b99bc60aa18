"""A healthy camera, seen by a client that hides nothing."""

import asyncio
import base64
import hashlib
import itertools
import socket
import struct
import time
from pathlib import Path

import msgspec
import pytest

from ingest_simulator.camera import Auth, Codec, SimulatedCamera, Transport
from ingest_simulator.simulator import Simulator
from tests.simulator.raw_client import Packet, RawClient, closed, parse_rtp

WHOLE = 2**32
REALM_NONCE = ("realm", "nonce")


def steps(values: list[int], modulus: int = WHOLE) -> set[int]:
    return {(b - a) % modulus for a, b in itertools.pairwise(values)}


async def test_timestamps_and_numbers_go_on_across_the_loop(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    camera = msgspec.structs.replace(small, fps=120)
    async with await RawClient.open(await simulator.add(camera)) as client:
        reply = await client.play()
        packets: list[Packet] = []
        frames = 0
        while frames < 130:
            packets.append(await client.packet())
            frames += packets[-1].marker
        timestamps = sorted(
            {packet.timestamp for packet in packets},
            key=lambda at: (at - packets[0].timestamp) % WHOLE,
        )
    assert steps(timestamps) == {750}
    assert steps([packet.sequence for packet in packets], 65536) == {1}
    assert len({packet.source for packet in packets}) == 1
    info = reply.headers["rtp-info"]
    assert f"seq={packets[0].sequence};rtptime={packets[0].timestamp}" in info


async def test_uneven_frame_rates_keep_an_even_clock(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    camera = msgspec.structs.replace(small, fps=7)
    async with await RawClient.open(await simulator.add(camera)) as client:
        await client.play()
        timestamps = await client.timestamps(8)
    assert (timestamps[7] - timestamps[0]) % WHOLE == 90_000


async def test_frames_come_in_real_time_and_the_log_is_true(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    async with await RawClient.open(await simulator.add(small)) as client:
        await client.play()
        timestamps = await client.timestamps(21)
        now = time.time()
        logged = simulator.frames("cam")[:21]
        (record,) = simulator.sessions("cam")
    assert [frame.timestamp for frame in logged] == timestamps
    assert [frame.index for frame in logged] == [*range(20), 0]
    assert [frame.keyframe for frame in logged] == ([True] + [False] * 9) * 2 + [True]
    assert record.playing is not None
    for number, frame in enumerate(logged):
        assert frame.captured == pytest.approx(record.playing + number / 20)
        assert frame.captured <= frame.sent <= now
    assert logged[-1].sent >= record.playing + 0.99


async def test_a_session_tells_its_first_and_its_newest_frame_however_many_there_were(
    clip_folder: Path, small: SimulatedCamera
) -> None:
    async with asyncio.timeout(30), Simulator(cache=clip_folder, log_size=2) as simulator:
        url = await simulator.add(small)
        async with await RawClient.open(url) as client:
            await client.ask("DESCRIBE")
            (before,) = simulator.sessions("cam")
            await client.play()
            await client.timestamps(5)
            (record,) = simulator.sessions("cam")
            (*_, newest) = simulator.frames("cam")
    assert (before.first_frame, before.last_frame) == (None, None)
    assert record.playing is not None
    assert record.first_frame == record.playing
    assert record.last_frame == newest.captured
    assert record.last_frame == pytest.approx(record.playing + (record.frames - 1) / 20)


async def test_a_sender_report_comes_at_once_and_fits_the_stream(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    async with await RawClient.open(await simulator.add(small)) as client:
        await client.play()
        first = await client.packet()
        (record,) = simulator.sessions("cam")
    (report,) = client.reports
    source, seconds, fraction, ticks = struct.unpack_from("!IIII", report, 4)
    assert source == first.source
    assert ticks == first.timestamp
    wall = seconds - 2_208_988_800 + fraction / 2**32
    assert wall == pytest.approx(record.playing, abs=1e-3)


async def test_sound_goes_on_beside_the_picture(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    camera = msgspec.structs.replace(small, audio=True)
    async with await RawClient.open(await simulator.add(camera)) as client:
        await client.play(tracks=(0, 1))
        packets = [await client.packet(2) for _ in range(52)]
    assert {(packet.payload_type, len(packet.payload)) for packet in packets} == {(0, 160)}
    assert steps([packet.timestamp for packet in packets]) == {160}
    assert packets[50].payload == packets[0].payload


async def test_datagrams_come_from_the_ports_that_were_told(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        receiver.bind(("127.0.0.1", 0))
        async with await RawClient.open(await simulator.add(small)) as client:
            await client.play(udp=receiver.getsockname()[1])
            packets = []
            for _ in range(12):
                data, sender = await loop.sock_recvfrom(receiver, 2000)
                packets.append(parse_rtp(data))
                assert sender[1] == simulator.udp.numbers[0]
            assert simulator.sessions("cam")[0].transport == "udp"
    assert steps([packet.sequence for packet in packets], 65536) == {1}
    assert simulator.udp.numbers[0] % 2 == 0
    assert simulator.udp.numbers[1] == simulator.udp.numbers[0] + 1


async def test_the_record_of_a_session_is_true(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    before = time.time()
    client = await RawClient.open(await simulator.add(small))
    host, port = client.writer.get_extra_info("sockname")
    await client.play()
    await client.timestamps(3)
    (record,) = simulator.sessions("cam")
    assert record.client == f"{host}:{port}"
    assert (record.number, record.transport, record.closed) == (1, "tcp", None)
    assert simulator.playing("cam") == 1
    assert (await client.ask("TEARDOWN", Session=client.session)).status == 200
    assert await client.reader.read() == b""
    client.writer.close()
    (record,) = simulator.sessions("cam")
    assert record.playing is not None
    assert record.closed is not None
    assert before <= record.opened <= record.playing <= record.closed <= time.time()
    assert record.end == "teardown"
    assert record.frames == simulator.frames_sent("cam") >= 3
    assert simulator.playing("cam") == 0


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265, Codec.MJPEG])
async def test_parameter_sets_are_described_unless_they_come_in_band_only(
    simulator: Simulator, small: SimulatedCamera, codec: Codec
) -> None:
    for in_band in (False, True):
        camera = msgspec.structs.replace(
            small, name=f"c{in_band:d}", codec=codec, in_band_parameter_sets_only=in_band
        )
        async with await RawClient.open(await simulator.add(camera)) as client:
            text = (await client.ask("DESCRIBE")).body.decode()
        assert ("sprop" in text) is (codec is not Codec.MJPEG and not in_band)


async def test_a_camera_takes_the_transport_it_is_set_to(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    offers = {
        Transport.TCP: "RTP/AVP/TCP;unicast;interleaved=0-1",
        Transport.UDP: "RTP/AVP;unicast;client_port=5000-5001",
    }
    for allowed, offer in offers.items():
        camera = msgspec.structs.replace(small, name=allowed.value, transport=allowed)
        url = await simulator.add(camera)
        other = next(each for key, each in offers.items() if key is not allowed)
        async with await RawClient.open(url) as client:
            assert (await client.ask("SETUP", Transport=other)).status == 461
            reply = await client.ask("SETUP", Transport=f"{other},{offer}")
            assert reply.status == 200
            assert reply.headers["transport"].startswith(offer)


async def test_the_session_beyond_the_limit_waits_for_one_to_end(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(msgspec.structs.replace(small, session_limit=1))
    async with await RawClient.open(url) as first, await RawClient.open(url) as second:
        await first.play()
        offer = "RTP/AVP/TCP;unicast;interleaved=0-1"
        assert (await second.ask("SETUP", Transport=offer)).status == 453
        await first.ask("TEARDOWN")
        await first.reader.read()
        assert (await second.ask("SETUP", Transport=offer)).status == 200


async def test_basic_opens_with_the_right_pair_only(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    camera = msgspec.structs.replace(small, auth=Auth.BASIC, username="u", password="p:w")
    async with await RawClient.open(await simulator.add(camera)) as client:
        assert (await client.ask("OPTIONS")).status == 200
        reply = await client.ask("DESCRIBE")
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Basic ")
        for pair, status in ((b"u:x", 401), (b"u:p:w", 200)):
            given = "Basic " + base64.b64encode(pair).decode()
            assert (await client.ask("DESCRIBE", Authorization=given)).status == status


@pytest.mark.parametrize("qop", [False, True])
async def test_sha_256_opens_to_who_knows_the_password(
    simulator: Simulator, small: SimulatedCamera, *, qop: bool
) -> None:
    # By hand: neither FFmpeg 8 nor GStreamer knows this algorithm.
    camera = msgspec.structs.replace(
        small, auth=Auth.DIGEST_SHA256, username="u", password="p", qop=qop
    )
    url = await simulator.add(camera)

    def digest(*parts: str) -> str:
        return hashlib.sha256(":".join(parts).encode()).hexdigest()

    async with await RawClient.open(url) as client:
        asked = (await client.ask("DESCRIBE")).headers["www-authenticate"]
        realm, nonce = (asked.partition(f'{key}="')[2].partition('"')[0] for key in REALM_NONCE)
        assert "algorithm=SHA-256" in asked
        for password, status in (("x", 401), ("p", 200)):
            counted = ("00000001", "c", "auth") if qop else ()
            known = digest("u", realm, password)
            response = digest(known, nonce, *counted, digest("DESCRIBE", url))
            given = (
                f'Digest username="u", realm="{realm}", nonce="{nonce}", uri="{url}", '
                f'algorithm=SHA-256, response="{response}"'
            )
            if qop:
                given += ', qop=auth, nc=00000001, cnonce="c"'
            assert (await client.ask("DESCRIBE", Authorization=given)).status == status


async def test_a_nonce_is_good_for_its_connection_only(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    camera = msgspec.structs.replace(small, auth=Auth.DIGEST_MD5, username="u", password="p")
    url = await simulator.add(camera)
    challenges = set()
    for _ in range(2):
        async with await RawClient.open(url) as client:
            challenges.add((await client.ask("DESCRIBE")).headers["www-authenticate"])
    assert len(challenges) == 2


async def test_requests_out_of_order_are_refused_and_do_no_harm(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(small)
    offer = "RTP/AVP/TCP;unicast;interleaved=0-1"
    async with await RawClient.open(url) as client:
        assert (await client.ask("PLAY")).status == 455
        assert (await client.ask("PAUSE")).status == 501
        assert (await client.ask("SETUP", f"{url}/trackID=1", Transport=offer)).status == 404
        assert (await client.ask("SETUP", Transport="RAW")).status == 461
        assert (await client.ask("DESCRIBE", simulator.url("cam") + "x")).status == 404
        assert (await client.ask("OPTIONS", "*")).status == 200
        assert (await client.ask("DESCRIBE", f"{url}?fault=404")).status == 200
        await client.play()
        assert (await client.ask("PLAY", Session="wrong")).status == 454
        assert (await client.ask("SETUP", Transport=offer)).status == 455
        assert (await client.ask("GET_PARAMETER")).status == 200
        await client.timestamps(2)


@pytest.mark.parametrize("data", [b"x" * 20_000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" * 9])
async def test_what_is_no_rtsp_is_refused_and_cut_off(simulator: Simulator, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(data + b"\r\n\r\n")
    assert (await reader.readline()).startswith(b"RTSP/1.0 400 ")
    writer.close()


async def test_a_client_without_a_sign_of_life_is_cut_off(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(msgspec.structs.replace(small, session_timeout=1))
    async with await RawClient.open(url) as client:
        await client.play()
        with pytest.raises(asyncio.IncompleteReadError):
            await client.timestamps(10_000)
    assert simulator.sessions("cam")[0].end == "timeout"


async def test_a_report_of_the_client_is_a_sign_of_life(
    simulator: Simulator, small: SimulatedCamera
) -> None:
    url = await simulator.add(msgspec.structs.replace(small, session_timeout=1))
    async with await RawClient.open(url) as client:
        await client.play()
        for _ in range(25):
            await client.timestamps(1)
            client.writer.write(b"$\x01\x00\x04abcd")
        assert simulator.playing("cam") == 1


async def test_a_reader_slower_than_its_stream_is_cut_off(
    simulator: Simulator,
) -> None:
    camera = SimulatedCamera(
        name="fast",
        scene="noise",
        codec=Codec.MJPEG,
        width=1280,
        height=720,
        fps=60,
        clip_seconds=1,
    )
    url = await simulator.add(camera)
    narrow = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", simulator.port))
    async with RawClient(url, *await asyncio.open_connection(sock=narrow)) as client:
        await client.play()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # read side of it
        await closed(simulator, "fast")
    assert simulator.sessions("fast")[0].end == "slow reader"
