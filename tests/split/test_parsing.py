import bz2
import gzip
import io
import lzma
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.sources import FORMATS, load_source
from digits.split.parsing import READERS, read_source
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


def zipped(content: bytes) -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("train.csv", content)
        return file.getvalue()


def read_csv(folder: Path, content: bytes, **entry: object) -> Examples:
    (folder / "train.csv").write_bytes(content)
    examples, test = read_source(folder, tiny.csv_source(EXPECTED, **entry))
    assert test is None
    return examples


def read_idx(folder: Path, images: bytes, labels: bytes, **entry: object) -> Examples:
    (folder / "images").write_bytes(images)
    (folder / "labels").write_bytes(labels)
    examples, test = read_source(folder, tiny.idx_source(EXPECTED, **entry))
    assert test is None
    return examples


def assert_same(found: Examples, expected: Examples) -> None:
    assert found.images.dtype == found.labels.dtype == np.uint8
    assert_array_equal(found.images, expected.images)
    assert_array_equal(found.labels, expected.labels)
    assert (found.pixel_maximum, found.class_names) == (
        expected.pixel_maximum,
        expected.class_names,
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CSV, id="as published"),
        pytest.param(CSV.rstrip(), id="no newline at the end"),
        pytest.param(CSV.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(CSV.replace(b"\n", b"\r"), id="CR"),
        pytest.param(b"\xef\xbb\xbf" + CSV, id="byte order mark"),
        pytest.param(b"\n" + CSV.replace(b"\n", b"\n\n"), id="blank lines"),
        pytest.param(CSV.replace(b",", b", "), id="spaces"),
        pytest.param(CSV.replace(b",", b".0,"), id="integers written as floats"),
        pytest.param(gzip.compress(CSV), id="gzip"),
        pytest.param(gzip.compress(CSV[:9]) + gzip.compress(CSV[9:]), id="gzip of two members"),
        pytest.param(gzip.compress(CSV) + bytes(512), id="gzip padded to a block"),
        pytest.param(CSV.replace(b",", b"\xc2\xa0,\x0b"), id="other spaces"),
        pytest.param(CSV.replace(b",", b".000000000000000000e+00,"), id="as NumPy's savetxt writes"),
        pytest.param(CSV.replace(b"\n", b"\r\n \r\n"), id="CRLF and blank lines"),
    ],
)
def test_csv(tmp_path: Path, content: bytes) -> None:
    assert_same(read_csv(tmp_path, content), EXPECTED)


def test_csv_with_the_label_last(tmp_path: Path) -> None:
    content = b"0,1,2,255,1\n3,4,5,6,0\n7,8,9,10,2\n"
    assert_same(read_csv(tmp_path, content, label_column="last"), EXPECTED)


@pytest.mark.parametrize("content", [(IMAGES, LABELS), (gzip.compress(IMAGES), gzip.compress(LABELS))])
def test_idx(tmp_path: Path, content: tuple[bytes, bytes]) -> None:
    assert_same(read_idx(tmp_path, *content), EXPECTED)


def test_published_test_files_are_read_beside(tmp_path: Path) -> None:
    train, test = tiny.examples(9), tiny.examples(4, seed=1)
    for name, part in (("train", train), ("test", test)):
        (tmp_path / f"{name}.csv").write_bytes(tiny.csv_bytes(part))
        (tmp_path / f"{name}-images").write_bytes(tiny.idx_bytes(part.images))
        (tmp_path / f"{name}-labels").write_bytes(tiny.idx_bytes(part.labels))
    csv = {name: {"urls": [f"{name}.csv"]} for name in ("train", "test")}
    idx = {
        f"{n}_{what}": {"urls": [f"{n}-{what}"]} for n in ("train", "test") for what in ("images", "labels")
    }
    for source in (tiny.csv_source(train, files=csv), tiny.idx_source(train, files=idx)):
        found_train, found_test = read_source(tmp_path, source)
        assert_same(found_train, train)
        assert found_test is not None
        assert_same(found_test, test)


def test_the_default_source_is_what_scikit_learn_loads(tmp_path: Path) -> None:
    import sklearn.datasets

    source = load_source(REPOSITORY, "digits")
    shipped = Path(sklearn.datasets.__file__).parent / "data/digits.csv.gz"
    (tmp_path / "digits.csv.gz").write_bytes(shipped.read_bytes())
    examples, _ = read_source(tmp_path, source)
    bunch = sklearn.datasets.load_digits()
    assert_array_equal(examples.images, bunch.images)
    assert_array_equal(examples.labels, bunch.target)


PIXEL = "expected a pixel, an integer from 0 to 255"


@pytest.mark.parametrize(
    ("row", "pieces"),
    [
        (b"0,3,4,256,6", ["row 2, column 4: found '256'", PIXEL]),
        (b"0,3,4,-1,6", ["row 2, column 4: found '-1'", PIXEL]),
        (b"0,3,4,3.5,6", ["row 2, column 4: found '3.5'", PIXEL]),
        (b"0,3,4,,6", ["row 2, column 4: found ''", PIXEL]),
        (b"0,3,4, ,6", ["row 2, column 4: found ' '", PIXEL]),
        (b"0,3,4,\0,6", ["row 2, column 4: found '\\x00'", PIXEL]),
        (b"0,3,4,5\0,6", ["row 2, column 4: found '5\\x00'", PIXEL]),
        (b"0,3,4,x,6", ["row 2, column 4: found 'x'", PIXEL]),
        (b"0,3,4,0x5,6", ["row 2, column 4: found '0x5'", PIXEL]),
        (b"0,3,4,1_0,6", ["row 2, column 4: found '1_0'", PIXEL]),
        (b"0,3,4,1e400,6", ["row 2, column 4: found '1e400'", PIXEL]),
        (b"0,3,4,inf,6", ["row 2, column 4: found 'inf'", PIXEL]),
        (b"0,3,4,nan,6", ["row 2, column 4: found 'nan'", PIXEL]),
        (b"0,3,4,4294967301,6", ["row 2, column 4: found '4294967301'", PIXEL]),
        (b"0,3,4,18446744073709551621,6", ["row 2, column 4: found '18446744073709551621'", PIXEL]),
        ("0,3,4,\u0665,6".encode(), ["row 2, column 4: found '\u0665'", PIXEL]),
        (b"0,3,4,\xff,6", ["row 2, column 4: found '\ufffd'", PIXEL]),
        (b'0,3,4,"5",6', ["row 2, column 4: found '\"5\"'", PIXEL]),
        (b"3,3,4,5,6", ["row 2, column 1: found '3'", "expected a label, an integer from 0 to 2"]),
        (b"x,3,4,5,6", ["row 2, column 1: found 'x'", "expected a label, an integer from 0 to 2"]),
        (b"0,3,4,5", ["row 2: found 4 columns", "expected 5: a label and 2 × 2 pixels"]),
        (b"0,3,4,5,6,7", ["row 2: found 6 columns", "expected 5: a label and 2 × 2 pixels"]),
        (b"0,3,4,5,6,", ["row 2: found 6 columns", "expected 5: a label and 2 × 2 pixels"]),
        (b"0;3;4;5;6", ["row 2: found semicolons between columns ('0;3;4;5;6'), expected commas"]),
        (b"0\t3\t4\t5\t6", ["row 2: found tabs between columns", "expected commas"]),
        (b" 0 3 4 5 6 ", ["row 2: found spaces between columns", "expected commas"]),
        (b"0,3,4\r,5,6", ["row 2: found 3 columns ('0,3,4')"]),
        (b"label,a,b,c,d", ["row 2, column 1: found 'label'"]),
    ],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_bad_row_of_csv_is_named(tmp_path: Path, row: bytes, pieces: list[str], newline: bytes) -> None:
    content = newline.join([b"1,0,1,2,255", row, b"2,7,8,9,10", b""])
    with pytest.raises(InputError) as caught:
        read_csv(tmp_path, content)
    for piece in [str(tmp_path / "train.csv"), *pieces]:
        assert piece in str(caught.value)


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        pytest.param(b"1,0,1,2,255,9\n0,3,4,5,6\n", ["row 1: found 6 columns"], id="first row longer"),
        pytest.param(b"1,0,1,2\n0,3,4,5,6\n", ["row 1: found 4 columns"], id="first row shorter"),
        pytest.param(b"1,0,1,2,255,\n0,3,4,5,6,\n", ["row 1: found 6 columns"], id="comma after every row"),
        pytest.param(CSV + b"0,3,4", ["row 4: found 3 columns"], id="cut off in the last row"),
        pytest.param(b"1\n" * 3, ["row 1: found 1 columns"], id="one column"),
        pytest.param(b"1," * 7_000 + b"1\n", ["row 1: found 7001 columns"], id="one row"),
        pytest.param(b"label,a,b,c,d\n" + CSV, ["row 1: found a header", "remove the row"], id="header"),
        pytest.param(CSV + b"\n\n0,3,4,5,x", ["row 6, column 5"], id="rows count blank lines"),
        pytest.param(CSV + b"\0" * 9, ["row 4: found 1 columns"], id="padded with NUL"),
        pytest.param(b"", ["an empty file"], id="empty"),
        pytest.param(b"\xef\xbb\xbf \n\n", ["an empty file"], id="blank"),
        pytest.param(gzip.compress(b""), ["an empty file"], id="gzip of nothing"),
        pytest.param(gzip.compress(CSV)[:-9], ["broken gzip", "expected a whole file"], id="cut gzip"),
        pytest.param(gzip.compress(CSV)[:3], ["broken gzip"], id="gzip header cut"),
        pytest.param(gzip.compress(CSV)[:-8] + bytes(8), ["broken gzip (CRC"], id="gzip with wrong sum"),
        pytest.param(
            b"".join(b'"%s"\n' % row.replace(b",", b'","') for row in CSV.splitlines()),
            ["row 1, column 1: found '\"1\"'", "write numbers without quotes"],
            id="quotes",
        ),
        pytest.param(
            b'"label","a","b","c","d"\n' + CSV,
            ["row 1: found a header", "remove the row"],
            id="quoted header",
        ),
        pytest.param(b"\xef\xbb\xbf\r\nl,a,b,c,d\r\n" + CSV, ["row 2: found a header"], id="header below"),
        pytest.param(gzip.compress(CSV) + b"more", ["broken gzip"], id="gzip with more behind it"),
        pytest.param(gzip.compress(gzip.compress(CSV)), ["row 1: found"], id="gzip twice"),
        pytest.param(CSV.decode().encode("utf-16"), ["UTF-16 text", "save it as UTF-8"], id="UTF-16"),
        pytest.param(
            b"\xfe\xff" + CSV.decode().encode("utf-16-be"), ["UTF-16 text", "UTF-8"], id="UTF-16, big-endian"
        ),
        pytest.param(CSV.decode().encode("utf-16-le"), ["row 1", "\\x00"], id="UTF-16 without a mark"),
        pytest.param(zipped(CSV), ["a zip archive or an Excel workbook", "save the sheet as CSV"], id="zip"),
        pytest.param(gzip.compress(zipped(CSV)), ["a zip archive"], id="zip within gzip"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ["an old Excel workbook"], id="xls"),
        pytest.param(lzma.compress(CSV), ["an xz file", "unpack it"], id="xz"),
        pytest.param(IMAGES, ["row 1: found"], id="IDX"),
        pytest.param(b"0" * 70_000, ["offset 0: found a line of more than 65536 bytes"], id="a line"),
        pytest.param(
            CSV + b"0" * 200_000, ["offset 33: found a line of more than 65536 bytes"], id="a last line"
        ),
        pytest.param(bz2.compress(CSV), ["found a bzip2 file", "unpack it"], id="bzip2"),
    ],
)
def test_a_bad_csv_file_is_named(tmp_path: Path, content: bytes, pieces: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_csv(tmp_path, content)
    for piece in [str(tmp_path / "train.csv"), *pieces]:
        assert piece in str(caught.value)
    assert "\n" not in str(caught.value)


def bomb(pattern: bytes, size: int) -> bytes:
    """``size`` bytes of a pattern, as gzip, a thousandth as large; made without holding them."""
    packer = zlib.compressobj(wbits=31)
    block = pattern * (2**20 // len(pattern))
    return b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()


MIB = 2**20


@pytest.mark.parametrize(
    ("pattern", "files", "pieces"),
    [
        pytest.param(b"0", {}, ["a line of more than 65536 bytes"], id="one line"),
        pytest.param(
            b"1,0,0,0,0" + b" " * 9000 + b"\n",
            {},
            ["unpacks to more than 100 times its size"],
            id="rows",
        ),
        pytest.param(
            b"\n",
            {},
            ["more than 100 times its size"],
            id="blank lines",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            b"1,0,0,0,0\r\n",
            {"rows": 3},
            ["found more than 1012 line ends, expected 3 rows"],
            id="rows beyond the source's",
        ),
    ],
)
def test_a_small_file_that_unpacks_to_a_huge_one_does_not_fill_the_memory(
    pattern: bytes, files: dict[str, object], pieces: list[str], tmp_path: Path
) -> None:
    content = bomb(pattern, 300 * MIB)
    tracemalloc.start()  # NumPy's arrays are counted too
    try:
        with pytest.raises(InputError) as caught:
            read_csv(tmp_path, content, files={"train": {"urls": ["train.csv"], **files}})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    for piece in pieces:
        assert piece in str(caught.value)
    assert peak < 100 * MIB


def test_a_gzip_bomb_of_idx_is_refused_by_its_header(tmp_path: Path) -> None:
    header = b"\0\0\x08\x03" + np.array([300 * MIB // 4, 2, 2], ">u4").tobytes()
    content = gzip.compress(header) + bomb(b"\0", 300 * MIB)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"images, offset 4: found shape .* at most 100 times as much"):
            read_idx(tmp_path, content, gzip.compress(LABELS))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * MIB


def test_a_gzip_bomb_behind_a_good_idx_array_is_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found more than 12 bytes of data"):
        read_idx(tmp_path, gzip.compress(IMAGES) + bomb(b"\0", 300 * MIB), LABELS)


def test_a_set_that_shrinks_well_is_read_while_it_is_small(tmp_path: Path) -> None:
    rows = 200_000
    assert len(read_csv(tmp_path, bomb(b"1,0,0,0,0\n" * 100, 2 * MIB))) > rows


def test_values_beyond_the_sources_own_limits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 1, column 5: found '255', expected a pixel, .* 0 to 254;"):
        read_csv(tmp_path, CSV, pixel_maximum=254)
    with pytest.raises(InputError, match=r"row 3, column 1: found '2', expected a label, .* 0 to 1;"):
        read_csv(tmp_path, CSV, class_names=["zero", "one"])


@pytest.mark.parametrize(
    ("images", "labels", "pieces"),
    [
        pytest.param(LABELS, IMAGES, ["images, offset 0", "0x00000801", "0x00000803"], id="swapped"),
        pytest.param(IMAGES, IMAGES, ["labels, offset 0", "0x00000803", "0x00000801"], id="images twice"),
        pytest.param(b"\0\0\x0d\x03" + IMAGES[4:], LABELS, ["0x00000d03", "unsigned bytes"], id="floats"),
        pytest.param(b"<htm" + IMAGES[4:], LABELS, ["images, offset 0", "0x3c68746d"], id="no IDX"),
        pytest.param(b"", LABELS, ["images, offset 0", "nothing"], id="empty"),
        pytest.param(IMAGES[:9], LABELS, ["images", "the end of the file in its header"], id="header cut"),
        pytest.param(IMAGES[:-1], LABELS, ["images, offset 16", "found 11 bytes", "expected 12"], id="cut"),
        pytest.param(IMAGES + b"\0", LABELS, ["images, offset 16", "more than 12 bytes"], id="too long"),
        pytest.param(IMAGES, LABELS + b"\0", ["labels, offset 8", "more than 3 bytes"], id="labels too long"),
        pytest.param(gzip.compress(IMAGES)[:-1], LABELS, ["images", "broken gzip"], id="gzip cut"),
        pytest.param(
            IMAGES[:4] + bytes(12),
            LABELS,
            ["images", "no data (shape (0, 0, 0))"],
            id="nothing in it",
        ),
        pytest.param(
            IMAGES[:4] + b"\xff" * 12,
            LABELS,
            ["images, offset 4", "shape (4294967295,"],
            id="huge header",
        ),
        pytest.param(
            IMAGES,
            tiny.idx_bytes(np.array([1, 0], np.uint8)),
            ["labels: found 2 labels, expected 3, one for each image in images"],
            id="counts disagree",
        ),
        pytest.param(
            IMAGES, LABELS[:-1] + b"\3", ["labels, row 3: found 3", "label", "0 to 2"], id="label 3"
        ),
        pytest.param(
            tiny.idx_bytes(np.zeros((3, 4, 1), np.uint8)),
            LABELS,
            ["images: found images of 4 × 1 pixels, expected 2 × 2"],
            id="another size",
        ),
    ],
)
def test_a_bad_idx_file_is_named(tmp_path: Path, images: bytes, labels: bytes, pieces: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_idx(tmp_path, images, labels)
    for piece in [str(tmp_path), *pieces]:
        assert piece in str(caught.value)


def test_a_pixel_of_idx_beyond_the_maximum_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images, row 1: found 255, expected a pixel, .* 0 to 254"):
        read_idx(tmp_path, IMAGES, LABELS, pixel_maximum=254)


def test_the_number_of_rows_is_held_against_the_source(tmp_path: Path) -> None:
    files = {"train": {"urls": ["train.csv"], "rows": 4}}
    with pytest.raises(InputError, match=r"train\.csv: found 3 rows, expected 4"):
        read_csv(tmp_path, CSV, files=files)
    idx = {"train_images": {"urls": ["images"]}, "train_labels": {"urls": ["labels"], "rows": 2}}
    with pytest.raises(InputError, match="labels: found 3 rows, expected 2"):
        read_idx(tmp_path, IMAGES, LABELS, files=idx)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.csv: found no such file.*dvc repro download"):
        read_source(tmp_path, tiny.csv_source(EXPECTED))


def test_each_format_has_a_reader() -> None:
    assert set(READERS) == set(FORMATS.values())
