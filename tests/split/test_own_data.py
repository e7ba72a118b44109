"""Each entry of docs/own-data.md, run on small files of the same layout."""

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from digits.core.examples import Examples
from digits.core.sources import FORMATS, load_source
from digits.split.parsing import read_source
from stages import download, split
from tests import tiny
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs/own-data.md").read_text(encoding="utf-8")
FOUND: list[dict[str, Any]] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
ENTRIES = {entry["title"]: entry for entry in FOUND}


def test_the_page_shows_each_set_and_format() -> None:
    assert {"My symbols", "Digit Recognizer", "My scans", "EMNIST Letters", "Kuzushiji-MNIST"} < set(ENTRIES)
    assert {entry["format"] for entry in ENTRIES.values()} == set(FORMATS)


@pytest.mark.parametrize("title", ENTRIES)
def test_an_entry_reads_files_of_its_layout(
    title: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, own, raw = ENTRIES[title], workspace / "data/sources/mine", workspace / "data/raw/mine"
    size, maximum = (entry["height"], entry["width"]), entry.get("pixel_maximum", 255)
    train, test = (
        tiny.examples(n, classes=len(entry["class_names"]), size=size, pixel_maximum=maximum, seed=n)
        for n in (200, 60)
    )
    own.mkdir()
    (own / "source.yaml").write_text(yaml.safe_dump(entry))
    for key, url in entry["files"].items():
        write(own / Path(url).name, entry, train=train, test=test, key=key)
    monkeypatch.setenv("DIGITS_MIRROR", str(own))
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("source: digits", "source: mine"))

    download.main(workspace)
    split.main(workspace)

    found, found_test = read_source(load_source(workspace, "mine"), source_folder=own, raw=raw)
    assert sorted_rows(found) == sorted_rows(train)
    assert found.class_names == tuple(map(str, entry["class_names"]))
    assert found_test is None or sorted_rows(found_test) == sorted_rows(test)


def sorted_rows(examples: Examples) -> list[tuple[int, bytes]]:
    """Labels with their pixels; pictures are read in an order of their own."""
    images = [image.tobytes() for image in examples.images]
    return sorted(zip(examples.labels.tolist(), images, strict=True))


def write(path: Path, entry: dict[str, Any], *, train: Examples, test: Examples, key: str) -> None:
    """Write one file of the source as its publisher does."""
    arrays = {"train": stored(train, entry), "test": stored(test, entry)}
    images, labels = arrays["test" if key.startswith("test") else "train"]
    match entry["format"]:
        case "csv":
            table = np.column_stack([labels, images.reshape(len(images), -1)])
            pixels = [f"pixel{number}" for number in range(table.shape[1] - 1)]
            header = ",".join(["label", *pixels]) if entry["title"] == "Digit Recognizer" else ""
            np.savetxt(path, table, "%d", delimiter=",", header=header, comments="")
        case "idx":
            path.write_bytes(gzip.compress(tiny.idx_bytes(images if key.endswith("images") else labels)))
        case "npz":
            x, y = zip(*arrays.values(), strict=True)
            np.savez(path, x_train=x[0], y_train=y[0], x_test=x[1], y_test=y[1])
        case "pictures":
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                folder = path / entry["class_names"][label]
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(folder / f"{number}.png")


def stored(examples: Examples, entry: dict[str, Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images and labels as the entry's files store them: inverted, transposed, labels from first_label on."""
    images = 255 - examples.images if entry.get("inverted") else examples.images
    images = images.transpose(0, 2, 1) if entry.get("transposed") else images
    return images, examples.labels + np.uint8(entry.get("first_label", 0))
