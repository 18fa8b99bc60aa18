"""What a simulated camera is: one frozen value, given by Python or by the control API.

Promises: a value that exists is servable (checked once, here); its repr never shows the password.
"""

import enum
import re

import msgspec

from ingest_simulator.scenes import SCENES

NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_MAX_SIDE = 4096
_MAX_MJPEG_SIDE = 2040  # RFC 2435 counts blocks of eight pixels in one byte


class Codec(enum.StrEnum):
    H264 = "h264"
    H265 = "h265"
    MJPEG = "mjpeg"


class Auth(enum.StrEnum):
    NONE = "none"
    BASIC = "basic"
    DIGEST_MD5 = "digest-md5"
    DIGEST_SHA256 = "digest-sha-256"


class Transport(enum.StrEnum):
    ANY = "any"
    TCP = "tcp"
    UDP = "udp"


class SimulatedCamera(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One camera below one path of the simulator.

    Attributes:
        name: the path's first segment.
        scene: one of `ingest_simulator.scenes.SCENES`.
        seed: of the scene and of the picture's tint; cameras that differ in name only share a clip.
        gop: frames from keyframe to keyframe.
        bitrate: bits per second that the encoder aims at (not for MJPEG, which has fixed quality).
        b_frames: most consecutive B-frames; needs H264 or H265.
        clip_seconds: length of the loop; 0 is the scene's own period, so that it loops unseen.
        qop: offer qop="auth" in a Digest challenge.
        transport: what SETUP accepts; anything else is answered with 461.
        session_limit: 453 beyond it; 0 is no limit.
        session_timeout: seconds without a sign of life of the client that end a session.
        audio: a second track, PCMU.
        in_band_parameter_sets_only: none in the SDP; they come with each keyframe only.
        own_port: a listener of its own, so that it can refuse or be silent for real.
    """

    name: str
    scene: str = "object"
    seed: int = 0
    codec: Codec = Codec.H264
    width: int = 640
    height: int = 360
    fps: int = 5
    gop: int = 10
    bitrate: int = 256_000
    b_frames: int = 0
    clip_seconds: int = 0
    auth: Auth = Auth.NONE
    username: str = ""
    password: str = ""
    qop: bool = False
    transport: Transport = Transport.ANY
    session_limit: int = 0
    session_timeout: int = 60
    audio: bool = False
    in_band_parameter_sets_only: bool = False
    own_port: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be served, by ValueError."""
        side = _MAX_MJPEG_SIDE if self.codec is Codec.MJPEG else _MAX_SIDE
        step = 8 if self.codec is Codec.MJPEG else 2
        rules = {
            "name must be 1..63 of [A-Za-z0-9_.-]": NAME.fullmatch(self.name),
            "scene is unknown": self.scene in SCENES,
            f"width and height must be {16}..{side}": (
                16 <= self.width <= side and 16 <= self.height <= side  # noqa: PLR2004 - the rule's own text
            ),
            f"width and height must be multiples of {step}": (
                self.width % step == 0 and self.height % step == 0
            ),
            "fps must be 1..120": 1 <= self.fps <= 120,  # noqa: PLR2004 - the rule's own text
            "gop must be 1..1000": 1 <= self.gop <= 1000,  # noqa: PLR2004 - the rule's own text
            "bitrate must be 10000..100000000": 10_000 <= self.bitrate <= 100_000_000,  # noqa: PLR2004 - the rule's own text
            "b_frames must be 0..4, and 0 for mjpeg": (
                0 <= self.b_frames <= (0 if self.codec is Codec.MJPEG else 4)
            ),
            "clip_seconds must be 0..120": 0 <= self.clip_seconds <= 120,  # noqa: PLR2004 - the rule's own text
            "session_limit must be 0 or more": self.session_limit >= 0,
            "session_timeout must be 1 or more": self.session_timeout >= 1,
            "auth needs a username": self.auth is Auth.NONE or self.username,
            "username must not hold a colon with basic auth": not (
                self.auth is Auth.BASIC and ":" in self.username
            ),
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise ValueError("; ".join(broken))

    def __repr__(self) -> str:
        """As short as a log line wants it, and without the password."""
        return (
            f"SimulatedCamera(name={self.name!r}, scene={self.scene!r}, "
            f"codec={self.codec.value!r}, size='{self.width}x{self.height}', fps={self.fps}, "
            f"auth={self.auth.value!r})"
        )
