"""Which headers go on, and which end at the gateway."""

import pytest
from multidict import CIMultiDict

from ingest_gateway import hop


def test_headers_of_one_connection_and_those_that_it_names_are_left() -> None:
    headers = CIMultiDict(
        [
            ("Connection", "X-One, keep-alive"),
            ("connection", "x-two"),
            ("X-One", "1"),
            ("X-Two", "2"),
            ("Keep-Alive", "timeout=5"),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", "x"),
            ("ETag", '"1"'),
            ("Set-Cookie", "a"),
            ("Set-Cookie", "b"),
        ]
    )
    kept = [("ETag", '"1"'), ("Set-Cookie", "a"), ("Set-Cookie", "b")]
    assert list(hop.of_answer(headers).items()) == kept


@pytest.mark.parametrize(("length", "said"), [(None, None), (0, "0"), (7, "7")])
def test_a_request_says_its_host_and_length_anew(length: int | None, said: str | None) -> None:
    headers = CIMultiDict(
        {"Host": "front:8000", "Expect": "100-continue", "Content-Length": "99", "X-Kept": "1"}
    )
    passed = hop.of_request(headers, length)
    assert passed.get("Content-Length") == said
    assert set(passed) - {"Content-Length"} == {"X-Kept"}


def test_the_length_of_an_answer_goes_on() -> None:
    assert hop.of_answer(CIMultiDict({"Content-Length": "7"}))["Content-Length"] == "7"
