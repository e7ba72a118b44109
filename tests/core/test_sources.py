from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.core.errors import InputError
from digits.core.sources import FOLDER, load_source, source_files
from tests import tiny
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("name", ["digits", "mnist", "mnist-full", "fashion-mnist"])
def test_the_projects_own_sources_are_valid(name: str) -> None:
    assert len(load_source(REPOSITORY, name).class_names) == 10


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


def describe(root: Path, name: str, **changes: Any) -> None:
    path = root / FOLDER / name / "source.yaml"
    path.parent.mkdir(parents=True)
    plain = {"title": "Mine", "format": "csv", "height": 2, "width": 2, "class_names": ["a", "b"]}
    path.write_text(yaml.safe_dump(plain | {"files": {"train": "train.csv"}} | changes))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"format": "jpeg"}, "format: found 'jpeg', expected one of csv, idx, npz, pictures"),
        ({"format": ["csv"]}, "format: found ['csv'], expected one of csv, idx, npz, pictures"),
        (
            {"class_names": ["a", "b", "a"]},
            "class_names: expected a name of its own for each class, found 'a' twice",
        ),
        ({"class_names": ["a", "\x1b"]}, "class_names.1: expected string should match"),
        (
            {"files": {"train": "a/.."}},
            "files.train.urls: expected a path or URL",
        ),
        *(
            (
                {"files": {"train": url}},
                f"files.train.urls: expected http(s) URLs, or one file beside source.yaml, found '{url}'",
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
        (
            {"files": {"train": "http://a/d.csv", "test": "http://b/D.csv"}},
            "files: two downloaded files have the same name (d.csv, D.csv)",
        ),
        (
            {
                "format": "idx",
                "files": {key: key for key in ("train_images", "train_labels", "test_images")},
            },
            "files: expected both of test_images and test_labels, or neither, found one",
        ),
    ],
)
def test_a_wrong_description_is_refused(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    describe(tmp_path, "mine", **changes)
    with pytest.raises(InputError) as caught:
        load_source(tmp_path, "mine")
    assert f"data/sources/mine/source.yaml, {line}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_short_ways_to_write_an_entry(tmp_path: Path) -> None:
    describe(tmp_path, "mine", class_names=[0, 1], files={"train": "a/train.csv"})
    source = load_source(tmp_path, "mine")
    assert source.class_names == ["0", "1"]
    (file,) = source_files(source).values()
    assert (file.urls, file.name, file.is_local) == (["a/train.csv"], "train.csv", True)


def test_the_error_for_an_unknown_source_lists_the_known_ones(tmp_path: Path) -> None:
    describe(tmp_path, "mine")
    describe(tmp_path, "yours", format="jpeg")  # others may be wrong
    assert load_source(tmp_path, "mine").title == "Mine"
    with pytest.raises(InputError, match=r"data\.source: found 'ours', but no .*\. Name one of mine, yours"):
        load_source(tmp_path, "ours")
