"""The RTP state of one track of one session: numbers that go on whatever is sent.

Promises: sequence numbers count packets made, so that a packet lost on purpose leaves a gap.
"""

import secrets
from collections.abc import Sequence

from ingest_simulator import rtcp, rtp
from ingest_simulator.output import Output


class Track:
    def __init__(self, output: Output, *, clock: int) -> None:
        """`clock`: RTP ticks per second."""
        self.clock = clock
        self.source = secrets.randbits(32)
        self.sequence = secrets.randbits(16)
        self.base = secrets.randbits(32)
        self._output = output
        self._packets = 0
        self._octets = 0

    def timestamp(self, ticks: int) -> int:
        """What a packet carries for this many ticks of the stream."""
        return (self.base + ticks) & 0xFFFFFFFF

    def frame(self, packets: rtp.Prepared, ticks: int) -> bytearray:
        """The packets of one frame, numbered."""
        buffer = rtp.stamp(
            packets,
            channel=self._output.channel,
            sequence=self.sequence,
            timestamp=self.timestamp(ticks),
            source=self.source,
        )
        self.sequence = (self.sequence + len(packets.spans)) & 0xFFFF
        self._packets += len(packets.spans)
        self._octets += len(buffer) - len(packets.spans) * (rtp.FRAMING + rtp.HEADER)
        return buffer

    def send(self, buffer: bytes | bytearray, spans: Sequence[tuple[int, int]]) -> None:
        """Raises SlowReaderError."""
        self._output.send(buffer, spans)

    def report(self, *, wall: float, ticks: int, name: str) -> None:
        """A sender report: what was taken at `wall` (Unix seconds) has RTP time `ticks`."""
        self._output.report(
            rtcp.sender_report(
                source=self.source,
                wall=wall,
                timestamp=self.timestamp(ticks),
                packets=self._packets,
                octets=self._octets,
                name=name,
            )
        )
