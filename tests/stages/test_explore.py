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


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_written_need_no_test_data(root: Path) -> None:
    before = {path for path in root.rglob("*") if path.is_file()}
    explore.main(root)
    written = {path for path in root.rglob("*") if path.is_file()} - before
    tables = {f"{split}_{kind}.csv" for split in ("train", "validation") for kind in ("features", "labels")}
    assert written == {root / "plots/data" / name for name in FILES} | {
        root / "tables/data" / name for name in tables
    }


def test_the_tables_are_of_their_splits(root: Path) -> None:
    explore.main(root)
    for name, examples in (("train", TRAIN), ("validation", VALIDATION)):
        for kind, expected in zip(("features", "labels"), describe(examples), strict=True):
            table = pd.read_csv(root / f"tables/data/{name}_{kind}.csv", index_col=0)
            expected.columns = expected.columns.astype(str)
            pd.testing.assert_frame_equal(table, expected, rtol=1e-5, check_column_type=False)


def test_a_wrong_pixel_leaves_the_last_figures(root: Path) -> None:
    (root / "plots/data").mkdir(parents=True)
    (root / "plots/data/example.png").write_bytes(b"of the last good run")
    first = contents(root / "plots/data")
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("pixel: 20 ", "pixel: 25 "))
    with pytest.raises(InputError, match="found 25, expected 1 to 24"):
        explore.main(root)
    assert contents(root / "plots/data") == first
    assert [path.name for path in (root / "plots").iterdir()] == ["data"]


def test_a_pixel_without_ink_is_drawn_and_stale_figures_go(root: Path) -> None:
    (root / "plots/data").mkdir(parents=True)
    (root / "plots/data/old.png").write_bytes(b"of an earlier version")
    images = np.zeros_like(TRAIN.images)
    blank = Examples(images, TRAIN.labels, TRAIN.pixel_maximum, TRAIN.class_names)
    blank.save(root / "data/splits/train.npz")
    explore.main(root)
    assert set(contents(root / "plots/data")) == FILES
