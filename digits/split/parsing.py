"""Read CSV, IDX and .npz files and folders of pictures into examples, and check every row."""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from digits.core.errors import InputError, excerpt
from digits.core.examples import Examples
from digits.core.sources import (
    CsvSource,
    IdxSource,
    NpzSource,
    PicturesSource,
    Source,
    source_files,
)

#: Images and labels as a file has them.
Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]

_FIX = "Fix the file; or if it was downloaded, delete it and run `dvc repro`"
#: Rows that are checked at once: few, so that the check needs little memory.
_CHECKED_ROWS = 1_000
_FIXES = {
    "label": "Fix the file; or if its labels begin at another number, set first_label in source.yaml",
    "pixel": "Fix the file, or pixel_maximum in source.yaml",
}


def read_source(source: Source, *, source_folder: Path, raw: Path) -> tuple[Examples, Examples | None]:
    """Return the source's training examples and, where it has some, its test examples.

    Whatever source.yaml says of the files, pixels are row by row, with light ink, and labels begin at 0. The
    user's own files are in ``source_folder``, downloaded ones in ``raw``. An InputError names the wrong row.
    """
    files = source_files(source)
    paths = [source_folder / file.urls[0] if file.is_local else raw / file.name for file in files.values()]
    match source:
        case CsvSource():
            parts = [_read_csv(source, path) for path in paths]
        case IdxSource():
            pairs = zip(paths[::2], paths[1::2], strict=True)
            parts = [_checked(source, _idx_array(x, 3), _idx_array(y, 1), f"{x}", f"{y}") for x, y in pairs]
        case NpzSource():
            parts = _read_npz(source, *paths)
        case PicturesSource():
            parts = [_read_pictures(source, path) for path in paths]
    for (key, file), path in zip(files.items(), paths, strict=True):
        _, labels = parts[1 if key.startswith("test") else 0]
        rows = len(labels)
        if file.rows not in (None, rows):
            raise InputError(path, f"expected {file.rows} rows, as source.yaml says, found {rows}", _FIX)
    train, *test = [_upright(source, *part) for part in parts]
    return train, test[0] if test else None


def _upright(source: Source, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Examples:
    images = images.reshape(-1, *_size(source))
    images = images.transpose(0, 2, 1) if source.transposed else images
    images = source.pixel_maximum - images if source.inverted else images
    labels = labels - np.uint8(source.first_label)
    return Examples(np.ascontiguousarray(images), labels, source.pixel_maximum, tuple(source.class_names))


def _size(source: Source) -> tuple[int, int]:
    """Height and width of an image as the file has it."""
    return (source.width, source.height) if source.transposed else (source.height, source.width)


def _label_range(source: Source) -> tuple[int, int]:
    """The lowest and the highest label that the file may have; a label is one byte."""
    return source.first_label, min(source.first_label + len(source.class_names) - 1, 255)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; decompress it if it begins as gzip does, whatever its name."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(path, f"a damaged gzip file ({error})", _FIX) from None


def _read_csv(source: CsvSource, path: Path) -> Arrays:
    import pandas as pd  # only this format needs it

    pixels = source.height * source.width
    label = 0 if source.label_column == "first" else pixels
    limits = np.tile([0, source.pixel_maximum], (1 + pixels, 1))  # the lowest and highest of each column
    limits[label] = _label_range(source)
    skip = _header_lines(source.header, path, label, columns=len(limits))
    with _opened(path) as content, np.errstate(invalid="ignore"):  # pandas warns of inf, then raises
        options: dict[str, Any] = {"header": None, "quoting": csv.QUOTE_NONE, "na_filter": False}
        try:
            # This raises if a value doesn't fit uint8, or a row is shorter or longer than the first.
            frame = pd.read_csv(content, skiprows=skip, dtype=np.uint8, **options)
            table: NDArray[np.uint8] = np.ascontiguousarray(frame)
        except (ValueError, TypeError, OverflowError):
            table = np.empty((0, 0), np.uint8)  # so that the rows are read below, to name the wrong one
    low, high = limits.T
    if table.shape[1] != len(limits) or (table.min(axis=0) < low).any() or (table.max(axis=0) > high).any():
        table = _table_row_by_row(path, skip, limits.tolist(), label, source)
    return np.delete(table, label, axis=1), table[:, label]


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that isn't blank, with its number from 1."""
    with _opened(path) as content, TextIOWrapper(content, "utf-8-sig", "replace") as lines:
        yield from ((row, line.removesuffix("\n")) for row, line in enumerate(lines, start=1) if line.strip())


def _header_lines(header: bool | None, path: Path, label: int, columns: int) -> int:
    """Return the number of lines to skip: 0 if there is no header.

    Where source.yaml leaves it open, the first row is a header if it has a word in place of the label, or
    counts 0, 1, 2 … as pandas does by default.
    """
    row, line = next(_rows(path), (0, ""))
    fields = [field.strip(' "#') for field in line.split(",")]
    if header is None and len(fields) == columns:
        word = fields[label][:1].isalpha() and fields[label].lower() not in ("nan", "inf")
        header = word or fields == [str(number) for number in range(columns)]
        if header:
            fix = "if it is an example, set header: false in source.yaml"
            print(f"note: {path}, row {row} is read as a header ({excerpt(line.strip())}); {fix}")
    return row if header else 0


def _table_row_by_row(
    path: Path, skip: int, limits: list[list[int]], label: int, source: Source
) -> NDArray[np.uint8]:
    """Read a CSV file row by row: slower than pandas, but an error names the first wrong row."""
    table: list[NDArray[np.uint8]] = []
    for row, line in _rows(path):
        if row <= skip:
            continue
        where, fields = f"{path}, row {row}", line.split(",")
        if len(fields) != len(limits):
            expected = f"{len(limits)} columns, a label and {len(limits) - 1} pixels"
            problem = f"expected {expected}; found {len(fields)}: {excerpt(line.strip())}"
            raise InputError(where, problem, _FIX)
        values = [_integer(field) for field in fields]
        for column, (value, (low, high)) in enumerate(zip(values, limits, strict=True)):
            if value is None or not low <= value <= high:
                kind, where = "label" if column == label else "pixel", f"{where}, column {column + 1}"
                problem, fix = _not_an_integer(kind, low, high, excerpt(fields[column])), _FIXES[kind]
                if kind == "label" and (name := fields[column].strip(' "')) in source.class_names:
                    fix = f"Write {source.class_names.index(name) + source.first_label} for {name}"
                raise InputError(where, problem, fix)
        table.append(np.array(values, np.uint8))
    if not table:
        raise InputError(path, "the file is empty, expected rows of examples", _FIX)
    return np.stack(table)


def _integer(field: str) -> int | None:
    """Return the integer in a field: 7 for ``7`` and ``7.0``; None for ``7.5``, ``x`` or nothing."""
    plain = field.strip().isascii() and "_" not in field  # float() takes 1_0 and other alphabets' digits
    try:
        value = float(field)
    except ValueError:
        return None
    return int(value) if plain and value.is_integer() else None


def _idx_array(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return the array in an IDX file: magic number, sizes as big-endian 32-bit integers, values as bytes.

    The format is at the end of LeCun's page on MNIST.
    """
    with _opened(path) as opened:
        content = opened.read()
    magic, start = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic or len(content) < start:
        kind = "images" if dimensions == 3 else "labels"
        found = f"0x{content[:start].hex()}" if content else "an empty file"
        expected = f"0x{magic.hex()} and {dimensions} sizes, the header of IDX {kind}"
        raise InputError(f"{path}, offset 0", f"expected {expected}; found {found}", _FIX)
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    size, promised = len(content) - start, math.prod(shape)
    if size != promised or not size:
        problem = f"expected {promised or 'some'} bytes of data for shape {shape}, found {size}"
        raise InputError(f"{path}, offset {start}", problem, _FIX)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _read_npz(source: NpzSource, path: Path) -> list[Arrays]:
    try:
        with _opened(path) as file, np.load(file, allow_pickle=False) as archive:
            names = ["train", "test"] if "x_test" in archive else ["train"]
            arrays = [(archive[f"x_{name}"], archive[f"y_{name}"]) for name in names]
            if {array.dtype.kind for pair in arrays for array in pair} - set("buif"):
                raise ValueError("they are not arrays of numbers")
    except (BadZipFile, KeyError, TypeError, ValueError) as error:
        problem = f"expected an archive with x_train and y_train, and maybe x_test and y_test: {error}"
        raise InputError(path, problem, "Save it with numpy.savez") from None
    return [
        _checked(source, x, y, f"{path}, x_{name}", f"{path}, y_{name}")
        for name, (x, y) in zip(names, arrays, strict=True)
    ]


def _read_pictures(source: PicturesSource, folder: Path) -> Arrays:
    names, files = source.class_names, sorted(folder.glob("[!.]*/[!.]*"))
    for file in files:
        if file.parent.name not in names:
            problem = f"the folder's name is not a class of source.yaml ({', '.join(names)})"
            raise InputError(file.parent, problem, "Add it to class_names, or remove the folder")
    if not files:
        problem = "found no pictures, expected CLASS/NAME.png"
        raise InputError(folder, problem, "Make a folder for each class and put its pictures there")
    # Shuffled, since they are sorted by class and data.rows takes the first ones.
    files = [files[place] for place in np.random.default_rng(0).permutation(len(files))]
    x = np.stack([_picture(file, *_size(source)) for file in files])
    y = np.array([names.index(file.parent.name) + source.first_label for file in files])
    return _checked(source, x, y, f"{folder}", f"{folder}")


def _picture(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    from PIL import Image

    from digits.core.pictures import grey

    try:
        with Image.open(path, formats=("PNG", "JPEG", "BMP")) as picture:
            if picture.size != (width, height):
                raise ValueError(f"it is {picture.width} wide and {picture.height} high")
            return np.asarray(grey(picture))
    except Exception as error:  # Pillow raises whatever it stumbles on in a damaged file
        expected = f"a PNG, JPEG or BMP picture {width} pixels wide and {height} high"
        problem = f"expected {expected}, as source.yaml says: {error}"
        raise InputError(path, problem, "Resize or save it again, or remove it") from None


def _checked(source: Source, x: NDArray[Any], y: NDArray[Any], images: str, labels: str) -> Arrays:
    """Both arrays as ``uint8``; ``images`` and ``labels`` are their names in error lines."""
    height, width = _size(source)
    if x.shape[1:] != (height, width) or y.shape != x.shape[:1]:
        problem = f"expected shapes (n, {height}, {width}) and (n,), found {x.shape} and {y.shape}"
        fix = "Correct height and width in source.yaml, or the files"
        raise InputError(f"{images} and {labels}", problem, fix)
    pixels = _to_uint8(x, "pixel", 0, source.pixel_maximum, images)
    return pixels, _to_uint8(y, "label", *_label_range(source), labels)


def _to_uint8(values: NDArray[Any], kind: str, low: int, high: int, where: str) -> NDArray[np.uint8]:
    with np.errstate(invalid="ignore"):  # NaN is found below: it equals no integer
        whole = values.astype(np.uint8, copy=False)
    for start in range(0, len(values), _CHECKED_ROWS):
        rows = slice(start, start + _CHECKED_ROWS)
        wrong = (whole[rows] != values[rows]) | (whole[rows] < low) | (whole[rows] > high)
        if wrong.any():
            row = start + int(wrong.reshape(len(wrong), -1).any(axis=1).argmax())
            problem = _not_an_integer(kind, low, high, values[rows][wrong][0])
            raise InputError(f"{where}, row {row + 1}", problem, _FIXES[kind])
    return whole


def _not_an_integer(kind: str, low: int, high: int, found: object) -> str:
    return f"expected a {kind}, an integer from {low} to {high}, found {found}"
