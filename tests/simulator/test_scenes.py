from itertools import pairwise

import numpy as np
import pytest

from ingest_simulator.scenes import SCENES, make

SIZE = {"width": 320, "height": 180, "fps": 5}


@pytest.mark.parametrize("kind", SCENES)
def test_a_frame_depends_on_its_index_and_not_on_the_frames_drawn_before(kind: str) -> None:
    one, other = make(kind, **SIZE, seed=7), make(kind, **SIZE, seed=7)
    forward = [one.luma(index) for index in (0, 1, 30, 31)]
    backward = [other.luma(index) for index in (31, 30, 1, 0)][::-1]
    assert all(map(np.array_equal, forward, backward))


@pytest.mark.parametrize("kind", SCENES)
def test_seeds_make_different_cameras(kind: str) -> None:
    one, other = (make(kind, **SIZE, seed=seed).luma(0).astype(int) for seed in (0, 1))
    assert np.abs(one - other).mean() > 5


@pytest.mark.parametrize("kind", SCENES)
@pytest.mark.parametrize("index", [0, 1, 37])
def test_a_scene_repeats_after_its_period_but_for_its_noise(kind: str, index: int) -> None:
    scene = make(kind, **SIZE)
    now, later = scene.luma(index).astype(int), scene.luma(index + scene.period).astype(int)
    assert scene.boxes(index) == scene.boxes(index + scene.period)
    assert abs(float((now - later).mean())) < 0.3
    assert not np.array_equal(now, later)


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 33), (640, 360)])
@pytest.mark.parametrize("kind", SCENES)
def test_every_size_can_be_drawn(kind: str, width: int, height: int) -> None:
    luma = make(kind, width=width, height=height, fps=15).luma(100)
    assert luma.shape == (height, width)
    assert luma.dtype == np.uint8


def test_the_box_holds_all_that_differs_from_the_same_view_without_anybody() -> None:
    walked, still = make("object", **SIZE), make("still", **SIZE)
    for index in range(walked.period):
        rows, columns = np.nonzero(walked.luma(index) != still.luma(index))
        if not walked.boxes(index):
            assert not rows.size
            continue
        (box,) = walked.boxes(index)
        assert box.x <= columns.min() <= columns.max() < box.x + box.width <= 320
        assert box.y <= rows.min() <= rows.max() < box.y + box.height <= 180
        assert rows.size > 0.4 * box.width * box.height


def test_somebody_walks_from_four_to_twelve_seconds_of_every_twenty() -> None:
    scene = make("object", width=320, height=180, fps=15)
    there = [bool(scene.boxes(index)) for index in range(scene.period)]
    assert scene.period == 20 * 15
    assert there == [60 < index < 180 for index in range(300)]
    centres = [box.x for index in range(75, 180) for box in scene.boxes(index)]
    assert centres == sorted(centres)


@pytest.mark.parametrize("kind", [kind for kind in SCENES if kind != "object"])
def test_only_the_walker_counts_as_motion(kind: str) -> None:
    scene = make(kind, **SIZE)
    assert not any(scene.boxes(index) for index in range(scene.period))


@pytest.mark.parametrize(("kind", "low", "high"), [("still", 1, 2), ("noise", 5, 9)])
def test_the_grain_is_as_strong_as_the_sensor_says(kind: str, low: float, high: float) -> None:
    scene = make(kind, **SIZE)
    frames = np.stack([scene.luma(index) for index in range(40)])
    assert low < float(frames.std(axis=0).mean()) < high


def test_bright_pixels_have_more_noise_than_dark_ones() -> None:
    scene = make("noise", **SIZE)
    frames = np.stack([scene.luma(index) for index in range(40)])
    deviation, mean = frames.std(axis=0), frames.mean(axis=0)
    assert deviation[mean > 130].mean() > 1.3 * deviation[mean < 70].mean()


def brightness(kind: str) -> list[float]:
    """Mean luma of every frame of one period at 5 fps."""
    scene = make(kind, **SIZE)
    return [float(scene.luma(index).mean()) for index in range(scene.period)]


def test_clouds_change_the_light_by_forty_percent_and_never_at_once() -> None:
    means = brightness("slow_light")
    assert 0.55 < min(means) / np.mean(means) < 0.7
    assert 1.3 < max(means) / np.mean(means) < 1.45
    assert np.abs(np.diff(means)).max() < 2


def test_the_lamp_changes_the_light_at_once_at_15_and_at_45_seconds() -> None:
    steps = np.abs(np.diff(brightness("sudden_light")))
    assert set(np.flatnonzero(steps > 15) + 1) == {15 * 5, 45 * 5}


def test_night_is_dark_and_grainy_and_begins_with_a_black_moment() -> None:
    scene = make("day_night", **SIZE)
    means = brightness("day_night")
    assert max(means[150:152]) < 8
    assert 15 < means[300] < 0.5 * means[0]
    night = np.stack([scene.luma(index) for index in range(300, 330)])
    day = np.stack([scene.luma(index) for index in range(30)])
    assert night.std(axis=0).mean() > 2 * day.std(axis=0).mean()


def test_rain_draws_other_streaks_over_the_same_view_in_every_frame() -> None:
    wet, dry = make("rain", **SIZE), make("still", **SIZE)
    streaks = [wet.luma(index).astype(int) - dry.luma(index) > 8 for index in range(20)]
    assert all(200 < streak.sum() < 4000 for streak in streaks)
    overlaps = [(one & other).sum() for one, other in pairwise(streaks)]
    assert max(overlaps) < 100


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no scene 'snow': choose from still, object"):
        make("snow", **SIZE)
