"""Small random data with fixed seeds: examples, and the files, sources and recipes that tests make of it."""

from pathlib import Path

import numpy as np
import yaml
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from digits.core.examples import Examples
from digits.core.params import Recipe
from digits.core.sources import FORMATS, Source, SourceFile
from digits.split.parsing import read_source


def examples(
    n: int,
    *,
    classes: int = 3,
    size: tuple[int, int] = (2, 3),
    pixel_maximum: int = 16,
    seed: int = 0,
) -> Examples:
    """Random pixels; the classes take turns."""
    random = np.random.default_rng(seed)
    images = random.integers(0, pixel_maximum, (n, *size), np.uint8, endpoint=True)
    labels = (np.arange(n) % classes).astype(np.uint8)
    return Examples(images, labels, pixel_maximum, tuple(f"class {c}" for c in range(classes)))


def assert_same(found: Examples, expected: Examples) -> None:
    assert found.images.dtype == found.labels.dtype == np.uint8
    assert_array_equal(found.images, expected.images)
    assert_array_equal(found.labels, expected.labels)
    assert (found.pixel_maximum, found.class_names) == (expected.pixel_maximum, expected.class_names)


def csv_bytes(examples: Examples) -> bytes:
    table = np.column_stack([examples.labels, examples.images.reshape(len(examples), -1)])
    return b"".join(b",".join(b"%d" % value for value in row) + b"\n" for row in table.tolist())


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def source_file(*urls: str, **more: object) -> SourceFile:
    return SourceFile.model_validate({"urls": list(urls), **more})


def source(kind: str, examples: Examples, /, **more: object) -> Source:
    """A data source in the format ``kind``, whose files hold the examples; ``more`` sets other keys."""
    entry = {
        "title": "Tiny",
        "format": kind,
        "height": examples.height,
        "width": examples.width,
        "pixel_maximum": examples.pixel_maximum,
        "class_names": list(examples.class_names),
    }
    described: Source = FORMATS[kind].model_validate(entry | more)
    return described


def csv_source(examples: Examples, **more: object) -> Source:
    return source("csv", examples, **{"files": {"train": {"urls": ["train.csv"]}}, **more})


def idx_source(examples: Examples, **more: object) -> Source:
    return source("idx", examples, **{"files": {"train_images": "images", "train_labels": "labels"}, **more})


def read(folder: Path, source: Source) -> Examples:
    """The training examples of a source without a test file, whose files lie in ``folder``."""
    examples, test = read_source(source, source_folder=folder, raw=folder)
    assert test is None
    return examples


def use_source(root: Path, entry: Source) -> Path:
    """Write the source ``mine`` into ``root``, choose it in params.yaml, and return its folder."""
    folder, params = root / "data/sources/mine", root / "params.yaml"
    folder.mkdir(parents=True)
    text = yaml.safe_dump(entry.model_dump(exclude_unset=True), allow_unicode=True)
    (folder / "source.yaml").write_text(text, "utf-8")
    params.write_text(params.read_text("utf-8").replace("source: digits", "source: mine"), "utf-8")
    return folder


def recipe(**changes: object) -> Recipe:
    """The recipe of a linear classifier's short training by plain gradient descent, with ``changes``."""
    plain: dict[str, object] = {
        "hidden_units": [],
        "dropout": 0.0,
        "l1": 0.0,
        "l2": 0.0,
        "optimizer": "sgd",
        "momentum": 0.0,
        "learning_rate": 0.1,
        "clip_norm": None,
        "batch_size": 4,
        "steps": 6,
        "periods": 2,
        "snapshots": [],
        "seed": 0,
    }
    return Recipe.model_validate({**plain, **changes})
