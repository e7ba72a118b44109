from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.explore.summaries import describe
from stages import explore
from tests import tiny

TRAIN = tiny.examples(60, classes=4, size=(4, 6))
VALIDATION = tiny.examples(20, classes=4, size=(4, 6), seed=1)
FILES = {
    "class_images.png",
    "classes.png",
    "contact_sheet.png",
    "example.png",
    "pixel_frequency.png",
    "pixel_values.png",
}


@pytest.fixture
def root(workspace: Path) -> Path:
    """A workspace without test data."""
    TRAIN.save(workspace / "data/splits/train.npz")
    VALIDATION.save(workspace / "data/splits/validation.npz")
    return workspace


def test_the_files_written_need_no_test_data(root: Path) -> None:
    old = root / "plots/data/old.png"
    old.parent.mkdir(parents=True)
    old.touch()
    explore.main(root)
    assert {path.name for path in (root / "plots/data").iterdir()} == FILES
    tables = {}
    for name, examples in (("train", TRAIN), ("validation", VALIDATION)):
        for kind, table in zip(("features", "labels"), describe(examples), strict=True):
            tables[f"{name}_{kind}.csv"] = table.rename(columns=str)
    assert {path.name for path in (root / "tables/data").iterdir()} == set(tables)
    for name, expected in tables.items():
        found = pd.read_csv(root / "tables/data" / name, index_col=0)
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5, check_column_type=False)


def test_a_wrong_pixel_keeps_the_figures_of_the_run_before(root: Path) -> None:
    (root / "plots/data").mkdir(parents=True)
    (root / "plots/data/example.png").write_bytes(b"of the last good run")
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("pixel: 20 ", "pixel: 25 "))
    with pytest.raises(InputError, match=r"expected a pixel from 1 to 24, of .*, found 25"):
        explore.main(root)
    assert [path.name for path in (root / "plots/data").iterdir()] == ["example.png"]


def test_a_pixel_without_ink_is_drawn(root: Path) -> None:
    blank = np.zeros_like(TRAIN.images)
    Examples(blank, TRAIN.labels, TRAIN.pixel_maximum, TRAIN.class_names).save(root / "data/splits/train.npz")
    explore.main(root)
    assert {path.name for path in (root / "plots/data").iterdir()} == FILES
