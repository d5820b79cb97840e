"""Frame strips: which frames are kept, where they lie, and what is refused."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from paretokit import plots
from paretokit.core import InputError, ShapeError


def episode(n, *, height=4, width=6):
    """Frames whose gray value is their place."""
    return [np.full((height, width, 3), i, dtype=np.uint8) for i in range(n)]


def test_kept_frames_are_evenly_spaced_with_both_ends():
    data = plots.frames_data(episode(11), n=6)
    assert data.steps.tolist() == [0, 2, 4, 6, 8, 10]
    assert data.images[:, 0, 0, 0].tolist() == data.steps.tolist()
    assert plots.frames_data(episode(2), n=6).steps.tolist() == [0, 1]
    assert plots.frames_data(episode(1), n=6).steps.tolist() == [0]


def test_frames_stand_side_by_side_undistorted_and_are_named_by_step():
    given = episode(11)
    before = [image.copy() for image in given]
    ax = plots.frames(given, n=3, ax=Figure().add_subplot())
    ax.figure.canvas.draw()
    lefts = [image.get_extent()[0] for image in ax.images]
    assert [image.get_array()[0, 0, 0] for image in ax.images] == [0, 5, 10]
    assert np.diff(lefts).min() > 6
    assert ax.get_aspect() == 1.0
    assert [t.get_text() for t in ax.texts] == ["step 0", "step 5", "step 10"]
    assert all((a == b).all() for a, b in zip(given, before, strict=True))


def test_labels_follow_their_frames():
    ax = plots.frames(episode(5), n=3, labels=list("abcde"), ax=Figure().add_subplot())
    assert [t.get_text() for t in ax.texts] == ["a", "c", "e"]


def test_without_axes_a_figure_is_made():
    ax = plots.frames(episode(3))
    assert ax.figure.axes == [ax]
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        ([], {}, "`frames` must hold at least one image; got none"),
        ([np.zeros((4, 6), np.uint8)], {}, r"`frames` must be images \[h, w, 3\]; got \(4, 6\) .*rgb_array"),
        ([*episode(1), np.zeros((5, 6, 3), np.uint8)], {}, r"`frames` must all be \(4, 6, 3\); got \(5, 6, 3\)"),
        ([np.zeros((4, 6, 3))], {}, "`frames` must be 8-bit images; got float64"),
        (episode(3), {"labels": ["a"]}, "`labels` must have 3 entries, one per frame; got 1"),
        (episode(3), {"n": 0}, "`n` must be at least 1; got 0"),
    ],
)
def test_what_is_no_episode_is_refused(frames, options, message):
    with pytest.raises((InputError, ShapeError), match=message):
        plots.frames(frames, **options)
