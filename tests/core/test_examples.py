from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from digits.core.errors import InputError
from digits.core.examples import Examples
from tests import tiny


def test_save_and_load_give_the_same_examples_back(tmp_path: Path) -> None:
    saved = tiny.examples(7)
    saved.save(tmp_path / "a.npz")
    tiny.assert_same(Examples.load(tmp_path / "a.npz"), saved)


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        tiny.examples(7).save(tmp_path / name)
    tiny.examples(7, seed=1).save(tmp_path / "c.npz")
    first, second, other = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert first == second != other


def test_take_keeps_the_order_that_is_asked_for() -> None:
    every = tiny.examples(5)
    taken = every.take(np.array([4, 0, 4]))
    assert_array_equal(taken.labels, [1, 0, 1])
    assert_array_equal(taken.images, every.images[[4, 0, 4]])
    assert (taken.pixel_maximum, taken.class_names) == (every.pixel_maximum, every.class_names)


def test_size_and_rows_per_class() -> None:
    four = tiny.examples(4, size=(2, 3))
    assert (len(four), four.height, four.width) == (4, 2, 3)
    assert four.rows_per_class() == {"class 0": 2, "class 1": 1, "class 2": 1}
    assert four.take(slice(0, 1)).rows_per_class() == {"class 0": 1, "class 1": 0, "class 2": 0}


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.array([print], object))
    with pytest.raises(InputError, match="Object arrays cannot be loaded"):  # no pickle
        Examples.load(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.npz: damaged .*dvc repro split"):
        Examples.load(path)
