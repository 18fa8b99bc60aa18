"""The sound of every camera: a quiet tone in PCMU, as packets ready to be sent. Pure."""

import numpy as np

from ingest_simulator import rtp
from ingest_simulator.sdp import AUDIO_PAYLOAD_TYPE

RATE = 8000
SAMPLES = 160
"""Per packet: 20 ms."""
_TONE = 400
_LOUDNESS = 2000
_BIAS, _CLIP = 0x84, 32635


def mu_law(samples: "np.typing.NDArray[np.int32]") -> bytes:
    """ITU-T G.711 mu-law of 16-bit samples."""
    sign = np.where(samples < 0, 0x80, 0)
    magnitude = np.minimum(np.abs(samples), _CLIP) + _BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    coded: bytes = (~(sign | exponent << 4 | mantissa) & 0xFF).astype(np.uint8).tobytes()
    return coded


def _packets() -> tuple[rtp.Prepared, ...]:
    # One second holds whole waves, so that its end goes on into its beginning.
    at = np.arange(RATE) * (2 * np.pi * _TONE / RATE)
    coded = mu_law((np.sin(at) * _LOUDNESS).astype(np.int32))
    pieces = (coded[begin : begin + SAMPLES] for begin in range(0, RATE, SAMPLES))
    return tuple(rtp.prepare([piece], AUDIO_PAYLOAD_TYPE) for piece in pieces)


PACKETS = _packets()
