"""The largest of many numbers, found in blocks, are those that sorting finds."""

import numpy as np
import pytest

from seq2seq.decoding.scorer import top_k


@pytest.mark.parametrize("width", [3, 64, 257, 1000])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_largest_of_a_short_and_of_a_long_axis(width: int, k: int) -> None:
    values = np.random.default_rng(width + k).permutation(2 * 3 * width).reshape(2, 3, width).astype(float)
    best, places = top_k(values, k)
    order = np.argsort(-values, -1)[..., :k]
    np.testing.assert_array_equal(places, order)
    np.testing.assert_array_equal(best, np.take_along_axis(values, order, -1))
