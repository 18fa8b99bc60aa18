import msgspec
import pytest

from ingest_simulator.camera import Auth, Codec, SimulatedCamera


def test_the_repr_of_a_camera_hides_the_password() -> None:
    camera = SimulatedCamera(name="a", auth=Auth.BASIC, username="u", password="s3cret")
    assert "s3cret" not in f"{camera!r} {camera}"


@pytest.mark.parametrize(
    "field",
    [
        {"name": "a/b"},
        {"name": ""},
        {"scene": "nowhere"},
        {"width": 15},
        {"width": 641},
        {"height": 8192},
        {"codec": Codec.MJPEG, "height": 362},
        {"codec": Codec.MJPEG, "width": 2048},
        {"codec": Codec.MJPEG, "b_frames": 1},
        {"fps": 0},
        {"gop": 0},
        {"bitrate": 0},
        {"b_frames": 5},
        {"clip_seconds": 121},
        {"session_limit": -1},
        {"session_timeout": 0},
        {"auth": Auth.BASIC},
        {"auth": Auth.BASIC, "username": "a:b"},
    ],
)
def test_a_camera_that_cannot_be_served_is_refused(field: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "cam", **field}, SimulatedCamera)
