from pathlib import Path

import numpy as np
import pytest

from digits.core.errors import InputError
from digits.core.examples import Examples
from stages import split
from tests import tiny

EXAMPLES = tiny.examples(100, classes=10, size=(8, 8))


@pytest.fixture
def data(workspace: Path) -> Path:
    """The file with the rows of a source of one's own."""
    path = tiny.use_source(workspace, tiny.csv_source(EXAMPLES)) / "train.csv"
    path.write_bytes(tiny.csv_bytes(EXAMPLES))
    return path


def test_a_bad_row_keeps_the_splits_of_the_run_before(workspace: Path, data: Path) -> None:
    EXAMPLES.save(workspace / "data/splits/train.npz")
    before = (workspace / "data/splits/train.npz").read_bytes()
    data.write_bytes(tiny.csv_bytes(EXAMPLES) + b"256" + b",0" * 64)
    with pytest.raises(InputError, match=r"train\.csv, row 101, column 1: expected a label, .* found '256'"):
        split.main(workspace)
    assert [path.name for path in (workspace / "data/splits").iterdir()] == ["train.npz"]
    assert (workspace / "data/splits/train.npz").read_bytes() == before


def test_warnings_are_printed_and_the_stage_goes_on(
    workspace: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data.write_bytes(tiny.csv_bytes(EXAMPLES.take(np.arange(200) % 100)))
    split.main(workspace)
    assert "of 40 validation images are in train too" in capsys.readouterr().out
    assert len(Examples.load(workspace / "data/splits/test.npz")) == 40
