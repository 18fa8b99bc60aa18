"""Listen to the events of every camera, in a thread, from whichever address Redis has.

Promise: what is kept is bounded by who forgets it between two repetitions; an event of ten minutes
of 60 cameras costs some 100 bytes. It is back within some tens of milliseconds of Redis.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import redis
from msgspec import Struct

from bench.reliability.heard import Heard
from ingest_core import names
from ingest_core.events import FrameIngested

PORT: Final = 6379
_PAUSE: Final = 0.02  # s between two attempts to connect
_WAIT: Final = 0.5  # s after which the thread looks whether it is to listen elsewhere


class _Data(Struct):
    timestamp: float


class _Event(Struct):
    source: str
    subject: str
    type: str
    epoch: int
    sequence: int
    data: _Data


_decode = msgspec.json.Decoder(_Event).decode


class RedisEars:
    """Begin it by `start`; `stop` ends its thread."""

    def __init__(self, port: int = PORT) -> None:
        self._port = port
        self._lock = threading.Lock()  # guards what was heard, and where
        self._heard: dict[str, list[Heard]] = defaultdict(list)
        self._host = ""
        self._listening = threading.Event()
        self._ended = threading.Event()
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="ears", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def follow(self, host: str) -> None:
        with self._lock:
            if host != self._host:
                self._listening.clear()
                self._host = host

    @property
    def listening(self) -> bool:
        return self._listening.is_set()

    def heard(self) -> Mapping[str, Sequence[Heard]]:
        """By camera; raises what ended the thread, which hears nothing any more."""
        if self._failed is not None:
            raise self._failed
        with self._lock:
            return {camera: tuple(found) for camera, found in self._heard.items()}

    def forget(self) -> None:
        with self._lock:
            self._heard.clear()

    def _run(self) -> None:
        while not self._ended.is_set():
            if host := self._host:
                try:
                    self._listen(host)
                except redis.RedisError:
                    self._listening.clear()
                except Exception as error:  # noqa: BLE001 - told to who asks
                    self._failed = error
                    return
            time.sleep(_PAUSE)

    def _listen(self, host: str) -> None:
        """Until it is to be another one, or this one is gone."""
        with (
            redis.Redis(host, self._port, socket_connect_timeout=_WAIT) as server,
            server.pubsub() as channel,
        ):
            channel.psubscribe(names.redis_channel("*"))
            while not self._ended.is_set() and host == self._host:
                message = channel.get_message(timeout=_WAIT)
                if message is None:
                    continue
                if message["type"] == "psubscribe":
                    self._there(host)
                else:
                    self._take(_decode(message["data"]))

    def _there(self, host: str) -> None:
        with self._lock:
            if host == self._host:
                self._listening.set()

    def _take(self, event: _Event) -> None:
        captured = event.data.timestamp if event.type == FrameIngested.type else None
        with self._lock:
            self._heard[event.subject].append(
                Heard(event.source, event.epoch, event.sequence, captured)
            )
