import gzip
import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.sources import load_source
from digits.split.parsing import read_source
from tests import tiny
from tests.conftest import REPOSITORY

EXPECTED = Examples(
    np.array([[[0, 1], [2, 255]], [[3, 4], [5, 6]], [[7, 8], [9, 10]]], np.uint8),
    np.array([1, 0, 2], np.uint8),
    255,
    ("zero", "one", "two"),
)
CSV = b"1,0,1,2,255\n0,3,4,5,6\n2,7,8,9,10\n"
IMAGES = b"\0\0\x08\x03\0\0\0\x03\0\0\0\x02\0\0\0\x02\0\1\2\xff\3\4\5\6\7\x08\x09\x0a"
LABELS = b"\0\0\x08\x01\0\0\0\x03\1\0\2"


def png(picture: Image.Image, kind: str = "PNG") -> bytes:
    picture.save(content := io.BytesIO(), kind)
    return content.getvalue()


def read_csv(folder: Path, content: bytes, **entry: object) -> Examples:
    (folder / "train.csv").write_bytes(content)
    return tiny.read(folder, tiny.csv_source(EXPECTED, **entry))


def read_idx(folder: Path, images: bytes, labels: bytes, **entry: object) -> Examples:
    (folder / "images").write_bytes(images)
    (folder / "labels").write_bytes(labels)
    return tiny.read(folder, tiny.idx_source(EXPECTED, **entry))


@pytest.mark.parametrize(
    ("header", "keys", "said"),
    [
        (b"label,a,b,c,d", {}, "row 1 is read as a header ('label,a,b,c,d')"),
        (b'\n"label",0,1,2,3', {}, "row 2 is read as a header"),
        (b"0,1,2,3,4", {}, "row 1 is read as a header"),
        (b"9,9,9,9,9", {"header": True}, ""),
    ],
)
def test_a_header_is_left_out(
    header: bytes, keys: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.assert_same(read_csv(tmp_path, header + b"\n" + CSV, **keys), EXPECTED)
    assert said in capsys.readouterr().out


def test_a_row_that_looks_like_a_header_is_an_example_with_header_false(tmp_path: Path) -> None:
    assert len(read_csv(tmp_path, b"0,1,2,3,4\n" + CSV, header=False)) == 4


@pytest.mark.parametrize(
    "content", [(IMAGES, LABELS), (gzip.compress(IMAGES, mtime=0), gzip.compress(LABELS, mtime=0))]
)
def test_idx(tmp_path: Path, content: tuple[bytes, bytes]) -> None:
    tiny.assert_same(read_idx(tmp_path, *content), EXPECTED)


def test_a_sources_own_test_file_becomes_the_test_examples(tmp_path: Path) -> None:
    parts = {"train": tiny.examples(9), "test": tiny.examples(4, seed=1)}
    for name, part in parts.items():
        (tmp_path / f"{name}.csv").write_bytes(tiny.csv_bytes(part))
    source = tiny.csv_source(parts["train"], files={name: f"{name}.csv" for name in parts})
    both = read_source(source, source_folder=tmp_path, raw=tmp_path)
    for found, part in zip(both, parts.values(), strict=True):
        assert found is not None
        tiny.assert_same(found, part)


def test_the_default_source_is_what_scikit_learn_loads(tmp_path: Path) -> None:
    import sklearn.datasets

    source = load_source(REPOSITORY, "digits")
    shipped = Path(sklearn.datasets.__file__).parent / "data/digits.csv.gz"
    (tmp_path / "digits.csv.gz").write_bytes(shipped.read_bytes())
    examples = tiny.read(tmp_path, source)
    bunch = sklearn.datasets.load_digits()
    assert_array_equal(examples.images, bunch.images)
    assert_array_equal(examples.labels, bunch.target)


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        *(
            (b"\n".join([b"1,0,1,2,255", row, b"2,7,8,9,999", b""]), [f"row 2{piece}"])
            for row, piece in [
                (b"0,3,4,256,6", ", column 4: expected a pixel, an integer from 0 to 255, found '256'."),
                (b"3,3,4,5,6", ", column 1: expected a label, an integer from 0 to 2, found '3'."),
                (
                    b"two,3,4,5,6",
                    ", column 1: expected a label, an integer from 0 to 2, found 'two'. Write 2 for",
                ),
                (b"0,3,4,5", ": expected 5 columns, a label and 4 pixels; found 4: '0,3,4,5'."),
                (b"0,3,4,5,6,", ": expected 5 columns, a label and 4 pixels; found 6"),
                (
                    b"0;3;4;5;6",
                    ": expected 5 columns, a label and 4 pixels; found 1: '0;3;4;5;6'",
                ),
            ]
        ),
        (CSV.replace(b"\n", b",0\n"), ["row 1: expected 5 columns", "found 6"]),
        (CSV + b"0,3,4", ["row 4: expected 5 columns", "found 3"]),  # cut off
        (CSV + b"\n\n0,3,4,5,x", ["row 6, column 5"]),  # blank lines count
        (b"", ["the file is empty"]),
        (b"\xef\xbb\xbf \n\n", ["the file is empty"]),
        (gzip.compress(CSV, mtime=0)[:-9], ["a damaged gzip file", "delete it and run `dvc repro`"]),
        (CSV.decode().encode("utf-16"), ["row 1, column 1: expected a label"]),
    ],
)
def test_the_first_bad_row_of_csv_is_reported(tmp_path: Path, content: bytes, pieces: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_csv(tmp_path, content)
    for piece in [str(tmp_path / "train.csv"), *pieces]:
        assert piece in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_are_turned_and_labels_counted_as_source_yaml_says(tmp_path: Path) -> None:
    """A file's two columns of three rows become two rows of three columns."""
    upright = Examples(EXPECTED.images[:, :, [0, 1, 1]], EXPECTED.labels, 255, EXPECTED.class_names)
    images = tiny.idx_bytes(255 - upright.images.transpose(0, 2, 1))
    labels = tiny.idx_bytes(upright.labels + 1)
    keys = {"width": 3, "transposed": True, "inverted": True, "first_label": 1}
    tiny.assert_same(read_idx(tmp_path, images, labels, **keys), upright)


PICTURE = "expected a PNG, JPEG or BMP picture 2 pixels wide and 2 high, as source.yaml says"
NPZ: dict[str, Any] = {"x_train": EXPECTED.images, "y_train": EXPECTED.labels.astype(np.int64)}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"x_train": EXPECTED.images * np.nan},
            "x_train, row 1: expected a pixel, an integer from 0 to 255, found nan",
        ),
        (
            {"x_train": EXPECTED.images.astype(np.int64) + 250},
            "x_train, row 1: expected a pixel, an integer from 0 to 255, found 505",
        ),
        ({"y_train": np.array(["a", "b", "c"])}, "they are not arrays of numbers"),
        ({"y_train": np.array([print], object)}, "Object arrays cannot be loaded"),
        ({"x_train": EXPECTED.images[..., None]}, "expected shapes (n, 2, 2) and (n,), found (3, 2, 2, 1)"),
        ({"x_test": EXPECTED.images}, "y_test is not a file in the archive"),
    ],
)
def test_a_bad_npz_file_is_reported(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    source = tiny.source("npz", EXPECTED, files={"data": "a.npz"})
    np.savez(tmp_path / "a.npz", **NPZ)
    tiny.assert_same(tiny.read(tmp_path, source), EXPECTED)
    np.savez(tmp_path / "a.npz", **NPZ | changes)
    with pytest.raises(InputError) as caught:
        tiny.read(tmp_path, source)
    assert f"{tmp_path}/a.npz" in str(caught.value)
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        (
            "one/a.png",
            b"text",
            f"one/a.png: {PICTURE}: cannot identify",
        ),
        (
            "one/a.gif",
            png(Image.new("L", (2, 2)), "GIF"),
            f"one/a.gif: {PICTURE}: cannot identify",
        ),
        (
            "one/a.png",
            png(Image.new("L", (3, 2))),
            f"one/a.png: {PICTURE}: it is 3 wide and 2 high",
        ),
        (
            "ten/a.png",
            b"",
            "ten: the folder's name is not a class of source.yaml (zero, one, two)",
        ),
    ],
)
def test_a_bad_picture_is_reported(tmp_path: Path, name: str, content: bytes, line: str) -> None:
    (tmp_path / "train" / name).parent.mkdir(parents=True)
    (tmp_path / "train" / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        tiny.read(tmp_path, tiny.source("pictures", EXPECTED, files={"train": "train"}))
    assert f"{tmp_path}/train/{line}" in str(caught.value)


def test_pictures_of_any_mode_are_read_in_grey(tmp_path: Path) -> None:
    grey = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8))
    clear = Image.merge("LA", (Image.new("L", (2, 2)), ImageOps.invert(grey)))  # black, more or less opaque
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    (tmp_path / "train/one").mkdir(parents=True)
    for number, picture in enumerate(
        [grey, grey.convert("1"), grey.convert("RGB"), grey.convert("P"), clear, wide]
    ):
        picture.save(tmp_path / f"train/one/{number}.png")
    found = tiny.read(tmp_path, tiny.source("pictures", EXPECTED, files={"train": "train"}))
    assert_array_equal(found.images, np.array([grey] * 6))
    assert set(found.labels) == {1}


def test_values_beyond_the_sources_own_limits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 1, column 5: expected a pixel, .* 0 to 254, found '255'"):
        read_csv(tmp_path, CSV, pixel_maximum=254)
    with pytest.raises(InputError, match=r"images, row 1: expected a pixel, .* 0 to 254, found 255"):
        read_idx(tmp_path, IMAGES, LABELS, pixel_maximum=254)


def test_memory_stays_below_four_times_the_images(tmp_path: Path) -> None:
    examples = tiny.examples(3_000, size=(28, 28), pixel_maximum=255)
    (tmp_path / "train.csv").write_bytes(tiny.csv_bytes(examples))
    tracemalloc.start()  # NumPy's arrays are counted too
    try:
        tiny.read(tmp_path, tiny.csv_source(examples))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * examples.images.nbytes + 2**22


@pytest.mark.parametrize(
    ("images", "labels", "pieces"),
    [
        pytest.param(LABELS, IMAGES, ["images, offset 0", "0x00000801", "0x00000803"], id="swapped"),
        pytest.param(b"", LABELS, ["images, offset 0", "an empty file"], id="empty"),
        pytest.param(IMAGES[:9], LABELS, ["images, offset 0", "3 sizes"], id="header cut"),
        pytest.param(
            IMAGES[:-1], LABELS, ["images, offset 16: expected 12 bytes of data", "found 11"], id="short"
        ),
        pytest.param(IMAGES[:4] + bytes(12), LABELS, ["images", "for shape (0, 0, 0)"], id="nothing in it"),
        pytest.param(
            IMAGES,
            tiny.idx_bytes(np.array([1, 0], np.uint8)),
            ["labels: expected shapes (n, 2, 2) and (n,), found (3, 2, 2) and (2,)"],
            id="counts disagree",
        ),
        pytest.param(
            IMAGES,
            LABELS[:-1] + b"\3",
            ["labels, row 3: expected a label, an integer from 0 to 2, found 3"],
            id="label 3",
        ),
    ],
)
def test_a_bad_idx_file_is_reported(tmp_path: Path, images: bytes, labels: bytes, pieces: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_idx(tmp_path, images, labels)
    for piece in [str(tmp_path), *pieces]:
        assert piece in str(caught.value)


def test_another_number_of_rows_than_in_source_yaml_is_refused(tmp_path: Path) -> None:
    files = {"train": {"urls": ["train.csv"], "rows": 4}}
    with pytest.raises(InputError, match=r"train\.csv: expected 4 rows, .* found 3"):
        read_csv(tmp_path, CSV, files=files)
    idx = {"train_images": {"urls": ["images"]}, "train_labels": {"urls": ["labels"], "rows": 2}}
    with pytest.raises(InputError, match=r"labels: expected 2 rows, .* found 3"):
        read_idx(tmp_path, IMAGES, LABELS, files=idx)
