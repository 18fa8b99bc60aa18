"""What one connection watches: described, set up track by track, played once (RFC 2326's word).

Knows nothing of requests' order on the wire, of authentication and of answers that go wrong: that
is the connection's.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from ingest_simulator import audio, faults, messages, negotiation, sdp
from ingest_simulator.camera import SimulatedCamera
from ingest_simulator.clips import Clips
from ingest_simulator.encode import ClipSpec
from ingest_simulator.faults import RTP_CLOCK, Fault, FaultKind
from ingest_simulator.live import LiveCamera
from ingest_simulator.messages import RefusedError, Request
from ingest_simulator.output import Datagrams, Interleaved, Output, UdpPorts
from ingest_simulator.session import Session
from ingest_simulator.stream import Stream
from ingest_simulator.track import Track

_CLOCKS = {sdp.VIDEO_TRACK: RTP_CLOCK, sdp.AUDIO_TRACK: audio.RATE}
Headers = Sequence[tuple[str, str]]


class Site(Protocol):
    """What is needed of the simulator."""

    @property
    def clips(self) -> Clips: ...
    @property
    def udp(self) -> UdpPorts: ...
    def find(self, name: str) -> LiveCamera | None: ...


class Presentation:
    def __init__(
        self,
        site: Site,
        live: LiveCamera,
        session: Session,
        transport: asyncio.WriteTransport,
        fault: Callable[[], Fault | None],
    ) -> None:
        """Raises ValueError where this camera cannot have this fault."""
        self._site, self._live, self._session = site, live, session
        self._transport, self._fault = transport, fault
        self._camera = self._described()
        self._id = secrets.token_hex(8)
        self._outputs: dict[int, Output] = {}
        self._played = False

    async def describe(self) -> bytes:
        """The SDP."""
        self._camera = camera = self._described()
        fault = self._fault()
        if fault is not None and fault.kind is FaultKind.SDP:
            return fault.sdp.encode()
        clip = await self._site.clips.get(ClipSpec.of(camera))
        sets = () if camera.in_band_parameter_sets_only else clip.parameter_sets
        host = self._transport.get_extra_info("sockname")[0]
        return sdp.render(
            sdp.Description(camera.name, camera.codec, camera.fps, sets, camera.audio), host
        )

    def set_up(self, request: Request, track: int) -> Headers:
        """Raises RefusedError."""
        if track != sdp.VIDEO_TRACK and not (self._camera.audio and track == sdp.AUDIO_TRACK):
            raise RefusedError(404)
        self._check_session(request)
        if self._played:
            raise RefusedError(455)
        if self._session.transport is None and self._live.busy:
            raise RefusedError(453)
        offered = messages.parse_transport(request.headers.get("transport", ""))
        spec = negotiation.choose(offered, self._camera.transport, track)
        if spec is None or spec.pair is None:
            raise RefusedError(461)
        if spec.interleaved:
            self._outputs[track] = Interleaved(self._transport, *spec.pair)
        else:
            host = self._transport.get_extra_info("peername")[0]
            rtp, rtcp = spec.pair
            self._outputs[track] = Datagrams(self._site.udp, (host, rtp), (host, rtcp))
        self._session.transport = "tcp" if spec.interleaved else "udp"
        session = f"{self._id};timeout={self._camera.session_timeout}"
        return [
            ("Transport", negotiation.told(spec, self._site.udp.numbers)),
            ("Session", session),
        ]

    async def play(self, request: Request) -> tuple[Headers, Stream | None]:
        """The stream to be run once the answer is sent; None when it runs. Raises RefusedError."""
        if not self._outputs:
            raise RefusedError(455)
        self._check_session(request)
        headers = [("Session", self._id), ("Range", "npt=now-")]
        if self._played:
            return headers, None
        self._played = True
        tracks = {
            number: Track(out, clock=_CLOCKS[number]) for number, out in self._outputs.items()
        }
        stream = Stream(
            live=self._live,
            session=self._session,
            camera=self._camera,
            clip=await self._site.clips.get(ClipSpec.of(self._camera)),
            clips=self._site.clips,
            video=tracks.get(sdp.VIDEO_TRACK),
            sound=tracks.get(sdp.AUDIO_TRACK),
            fault=self._fault,
        )
        base = messages.base(request.url)
        info = ",".join(
            f"url={base}/trackID={number};seq={track.sequence}"
            f";rtptime={track.timestamp(stream.first_ticks if number == sdp.VIDEO_TRACK else 0)}"
            for number, track in sorted(tracks.items())
        )
        return [*headers, ("RTP-Info", info)], stream

    def _described(self) -> SimulatedCamera:
        fault = self._fault()
        faults.resized(self._live.camera, fault)
        return faults.variant(self._live.camera, fault)

    def _check_session(self, request: Request) -> None:
        given = request.headers.get("session", "").partition(";")[0].strip()
        if given and given != self._id:
            raise RefusedError(454)
