"""What a batch asks of Redis, and how its answers are counted."""

from collections import Counter

import hiredis
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest_core import names
from ingest_core.events import CameraDisconnected, Event, FrameIngested, encode, event
from ingest_worker.delivery import (
    EVERYWHERE,
    Answer,
    Entry,
    Place,
    Reason,
    Retention,
    Verdict,
    places,
    probe,
    requests,
    settle,
)

RETENTION = Retention(stream_length=1000, state_seconds=60)
FRAME = event(
    FrameIngested(camera_id="é", timestamp=1.5, source="rtsp", keyframe=True, bytes=9, frame=3),
    source="camera-ingest/w/1",
    epoch=2,
    sequence=7,
)
STATE = event(
    CameraDisconnected(camera_id="lobby", reason="Stalled", timestamp=1.5),
    source="camera-ingest/w/1",
    epoch=2,
    sequence=8,
)


def entry(of: Event, *, missing: Place | None = None, refused: Reason | None = None) -> Entry:
    return Entry(1, of, places(of) if missing is None else missing, refused)


def commands(*entries: Entry) -> list[list[bytes]]:
    reader = hiredis.Reader()
    for request in requests(entries, RETENTION):
        reader.feed(request.packed)
    found = []
    while (command := reader.gets()) is not False:
        found.append(command)
    return found


def test_a_frame_goes_to_its_channel_alone() -> None:
    assert commands(entry(FRAME)) == [[b"PUBLISH", "camera:é".encode(), encode(FRAME)]]


def test_any_other_event_is_kept_in_the_stream_and_as_the_last_state() -> None:
    body = encode(STATE)
    assert commands(entry(STATE)) == [
        [b"PUBLISH", b"camera:lobby", body],
        [b"XADD", b"camera-events", b"MAXLEN", b"~", b"1000", b"*", b"event", body],
        [b"SET", b"camera:lobby:state", body, b"EX", b"60"],
    ]
    assert msgspec.json.decode(body)["data"]["reason"] == "Stalled"


def test_the_key_of_a_request_is_the_one_that_a_cluster_hashes() -> None:
    keys = [request.key for request in requests([entry(STATE)], RETENTION)]
    assert keys == [None, names.REDIS_STREAM.encode(), b"camera:lobby:state"]


def test_only_the_missing_places_are_asked_again() -> None:
    again = commands(entry(STATE, missing=Place.STREAM))
    assert [command[0] for command in again] == [b"XADD"]


def test_the_probe_writes_without_changing_anything() -> None:
    reader = hiredis.Reader()
    reader.feed(probe(RETENTION))
    assert reader.gets() == [b"XTRIM", b"camera-events", b"MAXLEN", b"~", b"1000"]


def test_an_event_that_is_not_json_is_counted_and_disturbs_no_other() -> None:
    broken = msgspec.structs.replace(STATE, id="\ud800")
    entries = [entry(broken), entry(FRAME)]
    asked = requests(entries, RETENTION)
    settled = settle(entries, asked, [Answer.TAKEN])
    assert settled.dropped == {Reason.UNENCODABLE: 1}
    assert settled.published == {"frame.ingested": 1}


def settle_state(*verdicts: Verdict) -> tuple[Counter[str], Counter[Reason], list[Entry], bool]:
    entries = [entry(STATE)]
    settled = settle(entries, requests(entries, RETENTION), verdicts)
    return settled.published, settled.dropped, list(settled.back), settled.refused_for_now


def test_an_event_that_every_place_took_is_published() -> None:
    taken = Answer.TAKEN
    assert settle_state(taken, taken, taken) == ({"camera.disconnected": 1}, {}, [], False)


def test_an_event_that_one_place_refused_is_dropped_once_by_the_first_reason() -> None:
    published, dropped, back, _ = settle_state(Answer.TAKEN, Reason.OOM, Reason.DENIED)
    assert (published, dropped, back) == ({}, {Reason.OOM: 1}, [])


def test_an_event_without_all_answers_comes_back_for_the_missing_places() -> None:
    _, dropped, (back,), for_now = settle_state(Answer.TAKEN, Reason.OOM, None)
    assert not dropped
    assert not for_now
    assert (back.missing, back.refused, back.sent) == (Place.STATE, Reason.OOM, True)
    assert back.fate(Reason.OVERFLOW) is Reason.OOM


def test_an_event_refused_for_now_comes_back_and_ends_the_link() -> None:
    _, _, (back,), for_now = settle_state(Answer.TAKEN, Answer.LATER, Answer.LATER)
    assert for_now
    assert (back.missing, back.sent) == (Place.STREAM | Place.STATE, False)
    assert back.fate(Reason.OVERFLOW) is Reason.OVERFLOW


def test_an_event_that_came_back_keeps_its_refusal_and_that_it_was_sent() -> None:
    entries = [Entry(1, STATE, Place.STATE, Reason.DENIED, sent=True)]
    asked = requests(entries, RETENTION)
    assert settle(entries, asked, [Reason.OOM]).dropped == {Reason.DENIED: 1}
    (back,) = settle(entries, asked, [Answer.LATER]).back
    assert (back.refused, back.sent) == (Reason.DENIED, True)
    assert Entry(1, STATE, Place.STATE, sent=True).fate(Reason.OVERFLOW) is Reason.UNANSWERED


VERDICTS = st.sampled_from([Answer.TAKEN, Answer.LATER, Reason.OOM, Reason.REJECTED, None])


@given(st.lists(st.sampled_from([FRAME, STATE]), max_size=6), st.data())
def test_each_event_ends_in_exactly_one_count(events: list[Event], data: st.DataObject) -> None:
    entries = [entry(of) for of in events]
    asked = requests(entries, RETENTION)
    verdicts = data.draw(st.lists(VERDICTS, min_size=len(asked), max_size=len(asked)))
    settled = settle(entries, asked, verdicts)
    done = settled.published.total() + settled.dropped.total()
    assert done + len(settled.back) == len(entries)
    assert all(back.missing in EVERYWHERE and back.missing for back in settled.back)
