import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_simulator import messages
from ingest_simulator.messages import BadRequestError, Request, Target, TransportSpec


def test_a_request_is_read_with_its_headers_in_lower_case() -> None:
    head = b"SETUP rtsp://h/cam RTSP/1.0\r\nCSeq: 3\r\nTransport:  a;b \r\nCSEQ: 9\r\n\r\n"
    request = messages.parse_request(head)
    assert request == Request("SETUP", "rtsp://h/cam", {"cseq": "3", "transport": "a;b"})
    assert request.sequence == "3"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"OPTIONS  RTSP/1.0\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nA: \xff\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(65)) + b"\r\n",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequestError):
        messages.parse_request(head)


@given(st.binary(max_size=300) | st.binary(max_size=99).map(lambda tail: b"PLAY * RTSP/1.0" + tail))
def test_any_bytes_are_a_request_or_refused(head: bytes) -> None:
    try:
        messages.parse_request(head)
    except BadRequestError:
        return


@given(st.text(max_size=100) | st.text(max_size=60).map("rtsp://h".__add__))
def test_any_text_is_a_target_or_refused(url: str) -> None:
    try:
        messages.parse_target(url)
    except BadRequestError:
        return


@pytest.mark.parametrize("length", ["-1", "1e3", "65537", "٣", "9" * 400])
def test_a_body_beyond_bounds_is_refused(length: str) -> None:
    with pytest.raises(BadRequestError):
        _ = Request("PLAY", "*", {"content-length": length}).body_length


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("rtsp://h:1/cam", Target("cam", None, None, "")),
        ("rtsp://u:p@h/cam/trackID=1", Target("cam", 1, None, "")),
        ("rtsp://h/cam/stall?after=3", Target("cam", None, "stall", "after=3")),
        ("rtsp://h/cam/stall/trackID=0", Target("cam", 0, "stall", "")),
        ("rtsp://h/cam?fault=fin", Target("cam", None, None, "fault=fin")),
        ("rtsp://h/", Target("", None, None, "")),
    ],
)
def test_a_url_names_camera_track_and_fault(url: str, target: Target) -> None:
    assert messages.parse_target(url) == target


@pytest.mark.parametrize("url", ["rtsp://h/a/b/c", "rtsp://[h/a"])
def test_a_url_that_names_nothing_is_refused(url: str) -> None:
    with pytest.raises(BadRequestError):
        messages.parse_target(url)


@pytest.mark.parametrize(
    ("header", "specs"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=2-3", [TransportSpec(True, False, (2, 3))]),
        ("RTP/AVP/TCP;unicast", [TransportSpec(True, False, None)]),
        (
            "RTP/AVP;multicast;client_port=5-6,RTP/AVP/UDP;client_port=8",
            [TransportSpec(False, True, (5, 6)), TransportSpec(False, False, (8, 9))],
        ),
        ("RTP/AVP;client_port=70000-70001", [TransportSpec(False, False, None)]),
        ("RAW/RAW/UDP;client_port=4-5", []),
        ("", []),
    ],
)
def test_transports_are_read_in_the_clients_order(header: str, specs: list[TransportSpec]) -> None:
    assert list(messages.parse_transport(header)) == specs


def test_an_answer_tells_its_length() -> None:
    data = messages.answer(200, "4", [("Session", "a")], b"body")
    assert data == b"RTSP/1.0 200 OK\r\nCSeq: 4\r\nSession: a\r\nContent-Length: 4\r\n\r\nbody"
