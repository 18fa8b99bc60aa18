"""The session description of a camera (RFC 8866 and the payload formats' fmtp). Pure."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from ingest_simulator.camera import Codec

VIDEO_TRACK = 0
AUDIO_TRACK = 1
PAYLOAD_TYPE = {Codec.H264: 96, Codec.H265: 96, Codec.MJPEG: 26}
AUDIO_PAYLOAD_TYPE = 0


@dataclass(frozen=True, slots=True)
class Description:
    """parameter_sets: in decoding order; empty when they are to come in band only."""

    name: str
    codec: Codec
    fps: int
    parameter_sets: Sequence[bytes]
    audio: bool


def render(description: Description, host: str) -> bytes:
    """`host`: the server's address, an IP literal."""
    family = "IP6" if ":" in host else "IP4"
    anywhere = "::" if ":" in host else "0.0.0.0"  # noqa: S104 - names no interface: "to be told by SETUP"
    kind = PAYLOAD_TYPE[description.codec]
    lines = [
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        f"s={description.name}",
        f"c=IN {family} {anywhere}",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {kind}",
        f"a=rtpmap:{kind} {_ENCODING[description.codec]}/90000",
    ]
    if fmtp := _fmtp(description.codec, description.parameter_sets):
        lines.append(f"a=fmtp:{kind} {fmtp}")
    lines += [f"a=framerate:{description.fps}", f"a=control:trackID={VIDEO_TRACK}"]
    if description.audio:
        lines += [
            f"m=audio 0 RTP/AVP {AUDIO_PAYLOAD_TYPE}",
            f"a=rtpmap:{AUDIO_PAYLOAD_TYPE} PCMU/8000",
            f"a=control:trackID={AUDIO_TRACK}",
        ]
    return ("\r\n".join(lines) + "\r\n").encode()


_ENCODING = {Codec.H264: "H264", Codec.H265: "H265", Codec.MJPEG: "JPEG"}


def _fmtp(codec: Codec, parameter_sets: Sequence[bytes]) -> str:
    coded = [base64.b64encode(unit).decode() for unit in parameter_sets]
    if codec is Codec.H264:
        parts = ["packetization-mode=1"]
        if parameter_sets:
            parts.append(f"profile-level-id={parameter_sets[0][1:4].hex()}")
            parts.append(f"sprop-parameter-sets={','.join(coded)}")
        return ";".join(parts)
    if codec is Codec.H265 and coded:
        names = ("sprop-vps", "sprop-sps", "sprop-pps")
        return ";".join(f"{name}={value}" for name, value in zip(names, coded, strict=True))
    return ""
