"""The detector against synthetic scenes, whose ground truth is known, in virtual time."""

import io
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest_simulator.scenes import Box, Scene, make
from ingest_worker.background import Background
from ingest_worker.motion import (
    DUE_SECONDS,
    LEARNING_FRAMES,
    Detector,
    MotionConfig,
    MotionEvent,
    Observation,
    elapsed,
    reduction,
    threshold,
)
from ingest_worker.regions import Region, largest, watched

Plane = npt.NDArray[np.uint8]
Seen = list[tuple[float, Observation]]


def small(kind: str, seed: int = 0) -> Scene:
    return make(kind, width=320, height=180, fps=5, seed=seed)


def frames(scene: Scene, start: float, end: float) -> Iterator[Plane]:
    return (scene.luma(index) for index in range(int(start * scene.fps), int(end * scene.fps)))


def watch(detector: Detector, pictures: Iterable[Plane], fps: float = 5) -> Seen:
    """What the detector says to each picture that is due, by its time."""
    timed = ((index / fps, luma) for index, luma in zip(count(), pictures))
    return [(time, detector.step(luma, time)) for time, luma in timed if detector.due(time)]


def begins(seen: Seen) -> list[float]:
    return [time for time, observation in seen if observation.began is not None]


def lit(pictures: Iterable[Plane], gain: Callable[[float], float]) -> Iterator[Plane]:
    """The pictures at 5 fps, made brighter or darker as a whole."""
    for index, luma in enumerate(pictures):
        yield np.clip(luma * gain(index / 5), 0, 255).astype(np.uint8)


def overlap(region: Region | None, box: Box) -> float:
    """Intersection over union."""
    if region is None:
        return 0
    wide = min(region.x + region.width, box.x + box.width) - max(region.x, box.x)
    high = min(region.y + region.height, box.y + box.height) - max(region.y, box.y)
    both = max(0, wide) * max(0, high)
    return both / (region.width * region.height + box.width * box.height - both)


def with_intruder(pictures: Iterable[Plane]) -> Iterator[Plane]:
    """A grey bar of a person's size that jumps about, far off what it covers."""
    for index, luma in enumerate(pictures):
        left = 100 + 8 * (index % 10)
        seen = luma.copy()
        seen[80:160, left : left + 30] = np.where(seen[80:160, left : left + 30] > 100, 20, 180)
        yield seen


@pytest.mark.parametrize(
    ("width", "height", "fps", "seconds"),
    [
        (320, 180, 5, 40),
        (320, 180, 15, 40),
        (640, 360, 5, 40),
        (640, 360, 15, 20),
        (1280, 720, 5, 18),
    ],
)
def test_a_walker_is_found_within_half_a_second_where_it_is(
    width: int, height: int, fps: int, seconds: int
) -> None:
    scene = make("object", width=width, height=height, fps=fps)
    seen = watch(Detector(MotionConfig()), frames(scene, 0, seconds), fps)
    whole = max(box.width for index in range(scene.period) for box in scene.boxes(index))
    boxes = {time: scene.boxes(round(time * fps)) for time, _ in seen}
    there = [time for time, found in boxes.items() if found and found[0].width >= whole / 2]
    visible = [time for time in there if (time - 4) % 20 < 0.6]
    first = [
        min(time for time in visible if time // 20 == walk) for walk in range(-(-seconds // 20))
    ]

    started = begins(seen)
    assert len(started) == len(first)
    assert all(0 <= late < 0.5 for late in np.subtract(started, first))
    matches = [overlap(o.region, boxes[time][0]) for time, o in seen if time in there]
    assert np.mean(np.array(matches) >= 0.4) > 0.95
    for time, observation in seen:
        if observation.began is not None:
            assert observation.began == observation.region
            assert overlap(observation.began, boxes[time][0]) >= 0.4


def test_motion_ends_once_after_the_cooldown_with_its_duration() -> None:
    seen = watch(Detector(MotionConfig(cooldown_seconds=3)), frames(small("object"), 0, 20))
    (began,) = begins(seen)
    ((ended, observation),) = [(t, o) for t, o in seen if o.ended is not None]
    last = max(time for time, o in seen if o.region is not None)
    assert observation.ended == pytest.approx(last - began)
    assert ended - last == pytest.approx(3, abs=0.21)
    assert [o.moving for t, o in seen] == [began <= t < ended for t, _ in seen]


@pytest.mark.parametrize("kind", ["still", "noise", "slow_light", "sudden_light", "day_night"])
def test_ten_minutes_without_motion_bring_no_event_and_an_intruder_then_does(kind: str) -> None:
    scene, detector = small(kind, seed=3), Detector(MotionConfig())
    for index in range(600 * 5):
        observation = detector.step(scene.luma(index), index / 5)
        assert not observation.moving
    intruder = with_intruder(frames(scene, 600, 602))
    assert any(detector.step(luma, 600 + i / 5).began for i, luma in enumerate(intruder))


@pytest.mark.parametrize(
    ("kind", "changes"), [("sudden_light", 4), ("day_night", 2), ("slow_light", 0)]
)
def test_each_switch_of_the_light_is_told_and_nothing_else(kind: str, changes: int) -> None:
    seen = watch(Detector(MotionConfig()), frames(small(kind), 0, 120))
    told = [time for time, observation in seen if observation.light_change]
    switches = [time for i, time in enumerate(told) if not i or time - told[i - 1] > 2]
    assert len(switches) == changes


@pytest.mark.parametrize("kind", ["sudden_light", "day_night"])
def test_without_the_rule_for_light_the_switch_would_be_one_large_region(kind: str) -> None:
    background, scene = Background(small(kind).luma(0)), small(kind)
    switch = 75 if kind == "sudden_light" else 150
    for index in range(switch):
        background.compare(scene.luma(index), 0, 255)
        background.learn(scene.luma(index), 0.2, None)
    region = largest(background.compare(scene.luma(switch), *threshold(50)))
    assert region is not None
    assert region.area > 180 * 320 / 2


def test_without_learning_slow_light_would_be_motion() -> None:
    scene = small("slow_light")
    region = largest(Background(scene.luma(0)).compare(scene.luma(25), *threshold(50)))
    assert region is not None
    assert region.area > 180 * 320 * 0.002


def test_the_threshold_follows_the_noise_of_the_sensor() -> None:
    noisy, clean = small("noise"), small("still")
    shares = {}
    for scene, name in ((noisy, "noisy"), (clean, "clean")):
        background = Background(scene.luma(0))
        for index in range(1, 40):
            background.compare(scene.luma(index), 0, 255)
            background.learn(scene.luma(index), 0.2, None)
        for factor, floor in ((0, 4), (5, 0.0)):
            share = np.count_nonzero(background.compare(scene.luma(40), factor, floor)) / 57_600
            shares[name, factor] = share
    assert shares["noisy", 0] > 0.1
    assert shares["clean", 0] < 0.01
    assert shares["noisy", 5] < 0.01
    assert shares["clean", 5] < 0.01


@pytest.mark.parametrize("seconds", [0.4, 1, 2, 4, 8])
@pytest.mark.parametrize("to", [0.5, 1.5])
def test_light_that_takes_its_time_is_never_motion(seconds: float, to: float) -> None:
    pictures = frames(small("still"), 0, 25)
    ramp = lit(pictures, lambda time: 1 + (to - 1) * min(1, max(0, time - 10) / seconds))
    assert begins(watch(Detector(MotionConfig()), ramp)) == []


def test_an_exposure_that_follows_the_walker_does_not_blow_up_the_box() -> None:
    scene = small("object")
    pull = lit(frames(scene, 0, 12), lambda t: 1 - 0.25 * (1 - math.exp(-max(0, t - 4) / 2)))
    seen = watch(Detector(MotionConfig()), pull)
    assert len(begins(seen)) == 1
    matches = [overlap(o.region, scene.boxes(round(t * 5))[0]) for t, o in seen if 4.5 < t < 11.5]
    assert min(matches) >= 0.4


def test_rain_may_leave_a_region_in_a_frame_but_begins_no_event() -> None:
    for seed in range(3):
        detector, scene = Detector(MotionConfig()), small("rain", seed)
        seen = watch(detector, frames(scene, 0, 120))
        assert begins(seen) == []
        assert sum(observation.region is not None for _, observation in seen) < 10
        found = [
            detector.step(p, 120 + i / 5) for i, p in enumerate(with_intruder(frames(scene, 0, 2)))
        ]
        assert any(observation.began for observation in found)


def coded(scene: Scene, seconds: int) -> Iterator[Plane]:
    """The scene as a camera sends it: H.264 at 200 kb/s, a keyframe every 2 s, rows padded."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as sink:
        stream = sink.add_stream("libx264", rate=scene.fps)
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.bit_rate = 200_000
        stream.options = {
            "preset": "veryfast",
            "g": str(2 * scene.fps),
            "maxrate": "200k",
            "bufsize": "200k",
            "x264-params": "scenecut=0:log-level=none",
        }
        grey = np.full((scene.height // 2, scene.width), 128, np.uint8)
        for index in range(seconds * scene.fps):
            planes = np.vstack([scene.luma(index), grey])
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        sink.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as source:
        for frame in source.decode(video=0):
            plane = frame.planes[0]
            rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
            yield rows[: frame.height, : frame.width]


@pytest.mark.parametrize(("kind", "events"), [("still", 0), ("noise", 0), ("object", 1)])
@pytest.mark.parametrize("fps", [5, 15])
def test_a_codec_that_starves_is_not_motion(kind: str, events: int, fps: int) -> None:
    scene = make(kind, width=640, height=360, fps=fps)
    assert len(begins(watch(Detector(MotionConfig()), coded(scene, 20), fps))) == events


def test_motion_inside_a_mask_is_none() -> None:
    floor = ((0, 400), (1000, 400), (1000, 1000), (0, 1000))
    seen = watch(Detector(MotionConfig(masks=(floor,))), frames(small("object"), 0, 20))
    assert all(o.region is None and not o.moving for _, o in seen)


def test_beside_a_mask_motion_counts_from_its_edge_on() -> None:
    left = ((0, 0), (500, 0), (500, 1000), (0, 1000))
    seen = watch(Detector(MotionConfig(masks=(left,))), frames(small("object"), 0, 20))
    (began,) = begins(seen)
    assert 7.6 <= began < 8.4
    assert all(o.region.x >= 155 for _, o in seen if o.region is not None)


def test_a_picture_that_is_masked_as_a_whole_never_moves() -> None:
    everything = ((0, 0), (1000, 0), (1000, 1000), (0, 1000))
    assert not watched(64, 36, (everything,)).any()
    seen = watch(Detector(MotionConfig(masks=(everything,))), frames(small("object"), 0, 9))
    assert not any(o.region for _, o in seen)


def test_a_region_smaller_than_the_least_area_is_left_out() -> None:
    for permille, events in ((2, 1), (100, 0)):
        config = MotionConfig(min_area_permille=permille)
        assert len(begins(watch(Detector(config), frames(small("object"), 0, 12)))) == events


def test_something_that_stays_becomes_background_within_two_minutes() -> None:
    scene = small("object")
    parked = (scene.luma(min(index, 40)) for index in range(125 * 5))
    seen = watch(Detector(MotionConfig()), parked)
    assert len(begins(seen)) == 1
    (ended,) = [time for time, o in seen if o.ended is not None]
    assert 30 < ended < 120


STILL = list(frames(small("noise"), 0, 4))


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 120))
@example(0, 100, 20)
@settings(max_examples=25, deadline=None)
def test_what_one_sensitivity_sees_a_higher_one_sees_too(a: int, b: int, contrast: int) -> None:
    strange = STILL[-1].astype(int)
    strange[60:120, 100:140] += contrast
    pictures = [*STILL[:-1], np.clip(strange, 0, 255).astype(np.uint8)]
    low, high = (
        watch(Detector(MotionConfig(sensitivity=s)), pictures)[-1][1].region for s in sorted((a, b))
    )
    assert low is None or (high is not None and high.area >= low.area)


def test_sensitivity_decides_at_which_contrast_a_thing_is_seen() -> None:
    least = []
    for sensitivity in (0, 50, 100):
        factor, floor = threshold(sensitivity)
        least.append(factor * 2 + floor)
    assert least == [34, 20, 11]


def test_the_same_frames_give_the_same_answers() -> None:
    one, other = (watch(Detector(MotionConfig()), frames(small("object"), 0, 9)) for _ in "ab")
    assert one == other


def test_padded_rows_change_nothing() -> None:
    pictures = list(frames(make("object", width=640, height=360, fps=5), 0, 7))
    padded = [np.pad(luma, ((0, 3), (0, 64)), mode="edge")[:360, :640] for luma in pictures]
    assert not padded[0].flags.c_contiguous
    plain, same = (watch(Detector(MotionConfig()), p) for p in (pictures, padded))
    assert plain == same
    assert begins(plain)


@pytest.mark.parametrize("fps", [4, 5, 6, 10, 12, 15, 20, 25, 30, 60])
def test_four_to_six_frames_a_second_are_analysed_at_any_rate(fps: int) -> None:
    detector, picture = Detector(MotionConfig()), np.zeros((16, 16), np.uint8)
    seen = watch(detector, [picture] * 10 * fps, fps)
    assert 40 <= len(seen) <= 10 / DUE_SECONDS + 1


def test_nothing_is_decided_while_the_background_is_learned() -> None:
    pictures = [*frames(small("still"), 0, 0.2), *with_intruder(frames(small("still"), 0, 4))]
    seen = watch(Detector(MotionConfig()), pictures)
    assert not any(o.region for _, o in seen[:LEARNING_FRAMES])
    assert any(o.region for _, o in seen[LEARNING_FRAMES:])


def test_a_gap_in_time_starts_anew_and_is_not_motion() -> None:
    detector, scene = Detector(MotionConfig()), small("object")
    watch(detector, frames(scene, 0, 7))
    darker = list(lit(frames(small("still"), 0, 8), lambda _: 0.8))
    after = [detector.step(luma, 70 + index / 5) for index, luma in enumerate(darker)]
    assert after[0].ended == pytest.approx(2.4, abs=0.21)
    assert not any(o.moving or o.region or o.light_change for o in after)


def test_a_camera_that_sends_a_keyframe_every_ten_seconds_is_watched_all_the_same() -> None:
    detector = Detector(MotionConfig())
    still = list(frames(small("still"), 0, 4))
    pictures = [*still, *with_intruder(still)]
    seen = [detector.step(luma, 10 * index) for index, luma in enumerate(pictures)]
    assert not any(o.moving for o in seen[: len(still)])
    assert any(o.began for o in seen[len(still) : len(still) + 3])


def test_a_new_size_of_the_stream_starts_anew() -> None:
    detector = Detector(MotionConfig())
    assert watch(detector, frames(small("object"), 0, 7))[-1][1].moving
    other = make("still", width=640, height=360, fps=5)
    first = detector.step(other.luma(0), 7)
    assert first.ended is not None
    assert not first.moving


def test_a_stream_that_ends_ends_its_motion() -> None:
    detector = Detector(MotionConfig())
    watch(detector, frames(small("object"), 0, 7))
    assert detector.finish() == pytest.approx(2.4, abs=0.21)
    assert detector.finish() is None


def test_regions_are_in_pixels_of_the_source() -> None:
    areas = []
    for width, height in ((320, 180), (1280, 720)):
        scene = make("object", width=width, height=height, fps=5)
        seen = watch(Detector(MotionConfig()), frames(scene, 0, 6))
        region = seen[-1][1].region
        assert region is not None
        areas.append(region.area / (width * height))
    assert areas[0] == pytest.approx(areas[1], rel=0.1)


@given(
    st.lists(
        st.tuples(st.floats() | st.floats(0, 10), st.integers(0, 255), st.integers(0, 120)),
        max_size=40,
    ),
    st.integers(16, 90),
    st.integers(16, 90),
)
@example([(1e308, 0, 0), (math.inf, 0, 0), (-1e308, 9, 9), (math.nan, 9, 9)] * 3, 16, 16)
@settings(max_examples=60, deadline=None)
def test_no_time_and_no_picture_upsets_it(
    steps: list[tuple[float, int, int]], width: int, height: int
) -> None:
    detector, chance = Detector(MotionConfig(cooldown_seconds=1)), np.random.default_rng(0)
    noise = chance.integers(0, 255, (height, width), np.uint8)
    open_events = 0
    for time, grey, edge in steps:
        picture = np.where(noise > edge, noise, grey).astype(np.uint8)
        detector.due(time)
        observation = detector.step(picture, time)
        open_events += (observation.began is not None) - (observation.ended is not None)
        assert open_events == int(observation.moving)
        if observation.ended is not None:
            assert 0 <= observation.ended < math.inf


@pytest.mark.parametrize("shape", [(0, 0), (0, 40), (1, 1), (15, 400)])
def test_a_picture_too_small_to_be_a_cameras_is_passed_over(shape: tuple[int, int]) -> None:
    assert Detector(MotionConfig()).step(np.zeros(shape, np.uint8), 1) == Observation()


@pytest.mark.parametrize(("width", "height"), [(16, 4096), (4096, 16), (4096, 4096), (1919, 1079)])
def test_the_largest_pictures_are_analysed_within_the_same_bound(width: int, height: int) -> None:
    factor = reduction(width, height)
    assert factor == 1 or factor % 2 == 0
    assert (width // factor) * (height // factor) <= 86_400
    empty = np.zeros((height, width), np.uint8)
    block = empty.copy()
    block[height // 4 : height // 2, width // 4 : width // 2] = 200
    seen = watch(Detector(MotionConfig()), [*[empty] * LEARNING_FRAMES, block])
    region = seen[-1][1].region
    assert region is not None
    assert 0.5 < region.area / np.count_nonzero(block) < 2.5


@pytest.mark.parametrize(
    ("size", "factor"),
    [((16, 16), 1), ((320, 180), 1), ((640, 360), 2), ((1280, 720), 4), ((1920, 1080), 6)],
)
def test_the_usual_sizes_are_analysed_at_320_by_180(size: tuple[int, int], factor: int) -> None:
    assert reduction(*size) == factor


@pytest.mark.parametrize(
    ("gap", "interval", "expected"),
    [
        (0.2, math.nan, 0.2),
        (0.0, 0.2, 0.0),
        (3.0, 0.2, 3.0),
        (3.1, 0.2, None),
        (10.0, 10.0, 10.0),
        (-0.1, 0.2, None),
        (math.nan, 0.2, None),
        (math.inf, 60.0, None),
    ],
)
def test_only_a_plausible_step_of_time_joins_two_frames(
    gap: float, interval: float, expected: float | None
) -> None:
    assert elapsed(gap, interval) == expected


@pytest.mark.parametrize(
    ("found", "began"),
    [("-x-x", 3), ("-x--x-", None), ("xx", 1), ("-x-", None), ("--x--xx", 6)],
)
def test_an_event_begins_with_two_of_three_frames(found: str, began: float | None) -> None:
    event = MotionEvent()
    for now, mark in enumerate(found):
        event = event.seen(now, 5, found=mark == "x")
    assert event.began == began


def test_an_event_outlives_a_pause_shorter_than_its_cooldown() -> None:
    event = MotionEvent()
    for now, mark in enumerate("xx----x"):
        event = event.seen(now, 5, found=mark == "x")
    assert event.seconds == 5
    for now in range(7, 11):
        event = event.seen(now, 5, found=False)
        assert event.began == 1
    assert event.seen(11, 5, found=False) == MotionEvent()


def test_the_largest_of_several_regions_is_told_with_its_small_gaps_closed() -> None:
    plane = np.zeros((60, 100), np.uint8)
    assert largest(plane) is None
    plane[5:10, 5:10] = 255
    plane[20:50, 40:50] = 255
    plane[20:50, 54:60] = 255
    assert largest(plane) == Region(40, 20, 20, 30, 600)
    assert Region(1, 2, 3, 4, 5).scaled(4) == Region(4, 8, 12, 16, 80)
