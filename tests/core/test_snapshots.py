from pathlib import Path

import numpy as np
from numpy.testing import assert_array_equal

from digits.core.snapshots import Snapshot, Snapshots

TAKEN = [
    Snapshot(step, np.full((2, 3, 4), step, np.float32), np.full(4, step, np.float32)) for step in (1, 6)
]


def test_snapshots_read_back(tmp_path: Path) -> None:
    Snapshots("hidden_1", TAKEN).save(tmp_path / "a.npz")
    found = Snapshots.load(tmp_path / "a.npz")
    assert (found.layer, found.hidden) == ("hidden_1", True)
    assert [each.step for each in found.taken] == [1, 6]
    for each, expected in zip(found.taken, TAKEN, strict=True):
        assert_array_equal(each.weights, expected.weights)
        assert_array_equal(each.biases, expected.biases)


def test_a_training_without_snapshots_has_a_file_too(tmp_path: Path) -> None:
    Snapshots("logits", []).save(tmp_path / "a.npz")
    found = Snapshots.load(tmp_path / "a.npz")
    assert (found.hidden, list(found.taken)) == (False, [])
