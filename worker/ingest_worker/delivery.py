"""What one batch of events asks of Redis, and what became of it. Pure: bytes in, verdicts out.

An event goes to one place or to three: its camera's channel, and, unless it is `frame.ingested`,
the stream and the camera's state key. It ends as published when every place took it, or as dropped
for one reason: each event is counted once, so that offered = published + dropped + waiting.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntFlag, StrEnum
from typing import Final, NamedTuple

from ingest_core import names
from ingest_core.events import Event, FrameIngested, encode


class Place(IntFlag):
    """Where an event is still missing."""

    CHANNEL = 1
    STREAM = 2
    STATE = 4


EVERYWHERE: Final = Place.CHANNEL | Place.STREAM | Place.STATE


class Reason(StrEnum):
    """Why an event was dropped."""

    OVERFLOW = "overflow"  # Redis was away, or slow, for longer than the outbox holds
    UNANSWERED = "unanswered"  # sent, never answered, then pushed out: it may have arrived
    OOM = "oom"  # Redis is at its maxmemory
    DENIED = "denied"  # the ACL forbids it
    REJECTED = "rejected"  # Redis refused it for another reason
    UNENCODABLE = "unencodable"  # not valid as JSON: a bug of ours
    SHUTDOWN = "shutdown"  # the worker ended first


class Answer(Enum):
    """What Redis said to one request; a refusal for good is a `Reason`."""

    TAKEN = "taken"
    LATER = "later"  # refused for now: loading, demoted, resharding


Verdict = Answer | Reason | None  # None: no answer came


class Entry(NamedTuple):
    """An event on its way.

    Attributes:
        ordinal: Order of offering.
        missing: The places that have not answered yet.
        refused: The first refusal of a place.
        sent: Whether it went out once without an answer.
    """

    ordinal: int
    event: Event
    missing: Place
    refused: Reason | None = None
    sent: bool = False

    def fate(self, otherwise: Reason) -> Reason:
        """Why it is dropped, if it is dropped now."""
        return self.refused or (Reason.UNANSWERED if self.sent else otherwise)


class Request(NamedTuple):
    """One command of RESP; `key` decides the node of a cluster, None means any."""

    entry: int
    place: Place
    key: bytes | None
    packed: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a batch; `back` is sent again, in its order."""

    published: Counter[str] = field(default_factory=Counter)
    dropped: Counter[Reason] = field(default_factory=Counter)
    back: Sequence[Entry] = ()
    refused_for_now: bool = False


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of the past Redis keeps.

    Attributes:
        stream_length: Entries of the stream, about.
        state_seconds: Life of a state key after its last event.
    """

    stream_length: int = 100_000
    state_seconds: int = 7 * 24 * 3600


STREAM: Final = names.REDIS_STREAM.encode()


def places(event: Event) -> Place:
    """A frame is told to those who listen; everything else is kept as well."""
    return Place.CHANNEL if isinstance(event.data, FrameIngested) else EVERYWHERE


def requests(entries: Iterable[Entry], retention: Retention) -> list[Request]:
    """The commands that bring each entry to its missing places, in order.

    An entry that cannot be encoded has no request; `settle` counts it.
    """
    asked: list[Request] = []
    for index, entry in enumerate(entries):
        event, missing = entry.event, entry.missing
        try:
            body = encode(event)
            camera = event.subject
            channel = names.redis_channel(camera).encode()
        except (ValueError, TypeError, OverflowError):  # a lone surrogate, a foreign object
            continue
        if missing & Place.CHANNEL:
            packed = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
                len(channel),
                channel,
                len(body),
                body,
            )
            asked.append(Request(index, Place.CHANNEL, None, packed))
        if missing & Place.STREAM:
            packed = pack(
                b"XADD",
                STREAM,
                b"MAXLEN",
                b"~",
                b"%d" % retention.stream_length,
                b"*",
                b"event",
                body,
            )
            asked.append(Request(index, Place.STREAM, STREAM, packed))
        if missing & Place.STATE:
            key = names.redis_state_key(camera).encode()
            packed = pack(b"SET", key, body, b"EX", b"%d" % retention.state_seconds)
            asked.append(Request(index, Place.STATE, key, packed))
    return asked


def probe(retention: Retention) -> bytes:
    """A write that changes nothing: is this the master, loaded, and letting us in?"""
    return pack(b"XTRIM", STREAM, b"MAXLEN", b"~", b"%d" % retention.stream_length)


def pack(*parts: bytes) -> bytes:
    """One command in RESP."""
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)


def settle(
    entries: Sequence[Entry], asked: Sequence[Request], verdicts: Sequence[Verdict]
) -> Settled:
    """Count what is done, and give back what is to be sent again.

    Args:
        entries: The batch.
        asked: `requests` of it.
        verdicts: What Redis said to each of them.
    """
    if len(asked) == len(entries) == verdicts.count(Answer.TAKEN):
        return Settled(published=Counter(entry.event.type for entry in entries))
    missing = [Place(0)] * len(entries)
    unanswered = [False] * len(entries)
    refused = [entry.refused for entry in entries]
    encodable = {request.entry for request in asked}
    for request, verdict in zip(asked, verdicts, strict=True):
        index = request.entry
        if verdict is None or verdict is Answer.LATER:
            missing[index] |= request.place
            unanswered[index] |= verdict is None
        elif verdict is not Answer.TAKEN:
            refused[index] = refused[index] or verdict
    published: Counter[str] = Counter()
    dropped: Counter[Reason] = Counter()
    back: list[Entry] = []
    for index, entry in enumerate(entries):
        reason = refused[index]
        if index not in encodable:
            dropped[Reason.UNENCODABLE] += 1
        elif missing[index]:
            sent = entry.sent or unanswered[index]
            back.append(Entry(entry.ordinal, entry.event, missing[index], reason, sent))
        elif reason is not None:
            dropped[reason] += 1
        else:
            published[entry.event.type] += 1
    return Settled(published, dropped, back, refused_for_now=Answer.LATER in verdicts)
