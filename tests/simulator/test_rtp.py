import struct

from hypothesis import given
from hypothesis import strategies as st

from ingest_simulator import rtcp, rtp
from tests.simulator.raw_client import parse_rtp

PAYLOADS = st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5)


@given(PAYLOADS, st.integers(0, 0xFFFF), st.integers(0, 2**33), st.integers(0, 255))
def test_stamped_packets_differ_in_their_headers_only(
    payloads: list[bytes], sequence: int, timestamp: int, channel: int
) -> None:
    prepared = rtp.prepare(payloads, 96)
    sent = rtp.stamp(
        prepared, channel=channel, sequence=sequence, timestamp=timestamp, source=0xDEADBEEF
    )
    packets = []
    for begin, end in prepared.spans:
        assert sent[begin : begin + 2] == bytes((0x24, channel))
        assert int.from_bytes(sent[begin + 2 : begin + 4], "big") == end - begin - rtp.FRAMING
        packets.append(parse_rtp(bytes(sent[begin + rtp.FRAMING : end])))
    assert [packet.payload for packet in packets] == payloads
    assert [packet.marker for packet in packets] == [False] * (len(payloads) - 1) + [True]
    assert [packet.sequence for packet in packets] == [
        (sequence + number) % 65536 for number in range(len(payloads))
    ]
    assert {packet.timestamp for packet in packets} == {timestamp % 2**32}
    assert {(packet.source, packet.payload_type) for packet in packets} == {(0xDEADBEEF, 96)}


def test_stamping_leaves_what_was_prepared_as_it_was() -> None:
    prepared = rtp.prepare([b"abc"], 96)
    before = prepared.buffer
    rtp.stamp(prepared, channel=4, sequence=1, timestamp=2, source=3)
    assert prepared.buffer == before


def test_a_sender_report_ties_rtp_time_to_the_clock() -> None:
    packet = rtcp.sender_report(
        source=7, wall=1_700_000_000.5, timestamp=2**32 + 9, packets=3, octets=400, name="cam"
    )
    head, kind, words, source, seconds, fraction, ticks, count, octets = struct.unpack_from(
        "!BBHIIIIII", packet
    )
    assert (head, kind, words, source) == (0x80, 200, 6, 7)
    assert (seconds - 2_208_988_800, fraction) == (1_700_000_000, 2**31)
    assert (ticks, count, octets) == (9, 3, 400)


@given(st.text("abc", max_size=63))
def test_a_compound_report_is_whole_words_and_says_so(name: str) -> None:
    packet = rtcp.sender_report(source=7, wall=0, timestamp=0, packets=0, octets=0, name=name)
    second = packet[28:]
    assert second[1] == 202
    assert len(second) == 4 * (1 + int.from_bytes(second[2:4], "big"))
    assert second[8:10] == bytes((1, len(name)))
    assert second[10:].rstrip(b"\0") == name.encode()
    assert second.endswith(b"\0")
