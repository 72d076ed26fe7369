"""A crop that Pillow resizes alone has the pixels of the whole resized tile."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from registry.preprocess import source_box

SIDES = st.integers(1, 40).map(lambda n: 8 * n)
FILTERS = st.sampled_from([Image.Resampling.BICUBIC, Image.Resampling.BILINEAR])


@settings(deadline=None)
@given(
    SIDES, SIDES, st.sampled_from([64, 128, 256]), st.integers(0, 40), st.integers(0, 40), FILTERS, st.integers(0, 9)
)
@example(96, 96, 256, 16, 16, Image.Resampling.BICUBIC, 0)
@example(224, 224, 256, 16, 16, Image.Resampling.BICUBIC, 0)
@example(56, 56, 64, 7, 12, Image.Resampling.BICUBIC, 0)  # loses rows: Pillow may turn its passes about
def test_resizing_a_crop_alone_equals_cropping_the_resized_tile(height, width, side, left, top, filter, seed):
    box = left, top, side - min(left, 20), side - min(top, 20)
    part = source_box(height, width, (side, side), box)
    if part is None or box[0] >= box[2] or box[1] >= box[3]:
        return
    tile = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))

    whole = np.asarray(tile.resize((side, side), filter))[box[1] : box[3], box[0] : box[2]]
    alone = np.asarray(tile.resize((box[2] - box[0], box[3] - box[1]), filter, part))

    np.testing.assert_array_equal(alone, whole)


@pytest.mark.parametrize(
    ("height", "resized", "crop", "expected"),
    [
        (224, 256, (16, 16, 240, 240), (14.0, 14.0, 210.0, 210.0)),
        (100, 256, (16, 16, 240, 240), (6.25, 6.25, 93.75, 93.75)),
        (224, 248, (12, 12, 236, 236), None),  # a scale that floats round
        (512, 256, (16, 16, 240, 240), None),  # fewer rows
    ],
)
def test_which_crops_are_resized_alone(height, resized, crop, expected):
    assert source_box(height, height, (resized, resized), crop) == expected
