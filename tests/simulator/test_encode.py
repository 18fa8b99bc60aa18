import msgspec
import pytest

from ingest_simulator import encode, nal
from ingest_simulator.camera import Codec, SimulatedCamera
from ingest_simulator.encode import ClipSpec


@pytest.mark.parametrize("codec", Codec)
def test_a_clip_begins_with_a_keyframe_and_keeps_its_groups(
    codec: Codec, small: SimulatedCamera
) -> None:
    camera = msgspec.structs.replace(small, codec=codec)
    clip = encode.encode(ClipSpec.of(camera))
    keyframes = [at for at, unit in enumerate(clip.units) if unit.keyframe]
    assert len(clip.units) == 20
    assert keyframes == (list(range(20)) if codec is Codec.MJPEG else [0, 10])
    assert [unit.presented for unit in clip.units] == list(range(20))
    assert clip.delay == 0


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_every_keyframe_carries_its_parameter_sets(codec: Codec, small: SimulatedCamera) -> None:
    clip = encode.encode(ClipSpec.of(msgspec.structs.replace(small, codec=codec)))
    first, second = (encode.parameter_sets(codec, clip.units[at]) for at in (0, 10))
    assert first == second
    read = nal.h264_type if codec is Codec.H264 else nal.h265_type
    wanted = [7, 8] if codec is Codec.H264 else [32, 33, 34]
    assert [read(unit) for unit in first] == wanted
    assert [read(unit) for unit in clip.units[0].units[: len(wanted)]] == wanted


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_b_frames_are_sent_late_and_shown_in_order(codec: Codec, small: SimulatedCamera) -> None:
    camera = msgspec.structs.replace(small, codec=codec, b_frames=2)
    clip = encode.encode(ClipSpec.of(camera))
    presented = [unit.presented for unit in clip.units]
    assert presented != sorted(presented)
    assert sorted(presented) == list(range(20))
    assert clip.delay > 0
    assert all(place - clip.delay <= at for at, place in enumerate(presented))


def test_an_encoder_leaves_no_signature(small: SimulatedCamera) -> None:
    clip = encode.encode(ClipSpec.of(small))
    kinds = {nal.h264_type(unit) for frame in clip.units for unit in frame.units}
    assert kinds == {1, 5, 7, 8}


def test_without_a_length_a_clip_lasts_one_period_of_its_scene() -> None:
    camera = SimulatedCamera(name="a", width=160, height=96, fps=1, codec=Codec.MJPEG)
    assert len(encode.encode(ClipSpec.of(camera)).units) == 20
