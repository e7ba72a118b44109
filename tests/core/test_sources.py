from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.core.errors import InputError
from digits.core.sources import FOLDER, load_source, source_files
from tests import tiny
from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("name", "size", "files"),
    [
        ("digits", (8, 8, 16), ["digits.csv.gz"]),
        ("mnist", (28, 28, 255), ["mnist_train_small.csv", "mnist_test.csv"]),
        *(
            (
                name,
                (28, 28, 255),
                [
                    "train-images-idx3-ubyte.gz",
                    "train-labels-idx1-ubyte.gz",
                    "t10k-images-idx3-ubyte.gz",
                    "t10k-labels-idx1-ubyte.gz",
                ],
            )
            for name in ("mnist-full", "fashion-mnist")
        ),
    ],
)
def test_the_entries_that_come_with_the_project(
    name: str, size: tuple[int, int, int], files: list[str]
) -> None:
    source = load_source(REPOSITORY, name)
    assert (source.height, source.width, source.pixel_maximum) == size
    assert len(source.class_names) == 10
    assert [file.name for file in source_files(source).values()] == files


def test_no_source_is_left_untested() -> None:
    folders = {path.parent.name for path in (REPOSITORY / FOLDER).glob("*/source.yaml")}
    assert folders == {"digits", "mnist", "mnist-full", "fashion-mnist"}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/b.csv?version=2#top", "b.csv"),
        ("package:sklearn/datasets/data/digits.csv.gz", "digits.csv.gz"),
        ("shared/train.csv", "train.csv"),
    ],
)
def test_a_file_is_named_by_the_last_part_of_its_url(url: str, name: str) -> None:
    assert tiny.source_file(url).name == name


def entry(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "title": "Mine",
        "format": "csv",
        "height": 2,
        "width": 2,
        "pixel_maximum": 255,
        "class_names": ["a", "b"],
        "files": {"train": {"urls": ["train.csv"]}},
    }
    return {key: value for key, value in {**plain, **changes}.items() if value is not None}


def train(**changes: object) -> dict[str, object]:
    return {"train": {"urls": ["train.csv"], **changes}}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"format": "jpeg"}, "format: found 'jpeg', expected one of csv, idx, npz, pictures"),
        ({"format": None}, "format: found None, expected one of csv, idx, npz, pictures"),
        ({"format": ["csv"]}, "format: found ['csv'], expected one of csv, idx, npz, pictures"),
        ({"title": None}, "title: found nothing, expected a value"),
        ({"height": 0}, "height: found 0, expected greater than 0"),
        ({"height": 28.0}, "height: found 28.0, expected a valid integer"),
        (
            {"pixel_maximum": 65535},
            "pixel_maximum: found 65535, expected less than or equal to 255",
        ),
        ({"class_names": ["a", 1.5]}, "class_names.1: found 1.5, expected a valid string"),
        ({"class_names": ["a", "b", "a"]}, "class_names: found 'a' twice"),
        (
            {"class_names": ["a", "b\r"]},
            "class_names.1: found 'b\\r', expected string should match pattern",
        ),
        ({"label": "first"}, "label: found an unknown key"),
        ({"files": {}}, "files.train: found nothing"),
        ({"files": train(urls=[])}, "files.train.urls: found []"),
        (
            {"files": train(urls=["a/.."])},
            "files.train.urls: found 'a/..', expected a path or URL",
        ),
        *(
            (
                {"files": train(urls=[url])},
                f"files.train.urls: found '{url}', expected http(s) URLs, or one file in",
            )
            for url in (
                "/data/train.csv",
                "../train.csv",
                "file:///data/train.csv",
                "ftp://a/train.csv",
                "C:/a.csv",
                "package:sklearn/../x.csv",
                "package:sklearn//etc/x.csv",
            )
        ),
        ({"files": train(checksum="md5:0")}, "files.train.checksum: found 'md5:0'"),
        ({"files": train(rows=0)}, "files.train.rows: found 0"),
        (
            {"files": {"train": {"urls": ["http://a/d.csv"]}, "test": {"urls": ["http://b/D.csv"]}}},
            "files: found one file name for two files (d.csv, D.csv)",
        ),
        (
            {
                "format": "idx",
                "files": {key: {"urls": [key]} for key in ("train_images", "train_labels", "test_images")},
            },
            "files: found one of test_images and test_labels, expected both or neither",
        ),
    ],
)
def test_a_wrong_description_is_refused(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    describe(tmp_path, "mine", **changes)
    with pytest.raises(InputError) as caught:
        load_source(tmp_path, "mine")
    assert f"data/sources/mine/source.yaml, {line}" in str(caught.value)
    assert "\n" not in str(caught.value)


def describe(root: Path, name: str, **changes: Any) -> None:
    path = root / FOLDER / name / "source.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(entry(**changes)))


def test_the_short_ways_to_write_an_entry(tmp_path: Path) -> None:
    describe(tmp_path, "mine", class_names=[0, 1], files={"train": "a/train.csv"})
    source = load_source(tmp_path, "mine")
    assert source.class_names == ["0", "1"]
    (file,) = source_files(source).values()
    assert (file.urls, file.name, file.is_own) == (["a/train.csv"], "train.csv", True)


def test_an_unknown_source_is_refused_with_those_there_are(tmp_path: Path) -> None:
    describe(tmp_path, "mine")
    describe(tmp_path, "yours", format="jpeg")  # others may be wrong
    assert load_source(tmp_path, "mine").title == "Mine"
    with pytest.raises(
        InputError, match=r"data\.source: found 'ours', but no .*, expected one of mine, yours"
    ):
        load_source(tmp_path, "ours")
