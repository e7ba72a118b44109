"""Read published CSV and IDX files into examples, and check every row."""

import csv
import gzip
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from digits.core.errors import InputError, excerpt
from digits.core.examples import Examples
from digits.core.sources import CsvSource, IdxSource, Source, SourceFile

_FIX = "fix the file, or delete it and run dvc repro to fetch it again"


def read_source(folder: Path, source: Source) -> tuple[Examples, Examples | None]:
    """Return the source's training examples and, where it publishes some, its test examples.

    ``folder`` holds the source's files as they were published.

    Raises:
        InputError: a file is damaged or a row is wrong; the line names the file and the row.
    """
    return READERS[type(source)](folder, source)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; decompress it if it begins as gzip does, whatever its name."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    except FileNotFoundError:
        raise InputError(path, found="no such file", expected="a file", do="dvc repro download") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(path, found=f"broken gzip ({error})", expected="a whole file", do=_FIX) from None


def _csv_source(folder: Path, source: CsvSource) -> tuple[Examples, Examples | None]:
    train = _read_csv(folder, source.files.train, source)
    return train, _read_csv(folder, source.files.test, source) if source.files.test else None


def _read_csv(folder: Path, file: SourceFile, source: CsvSource) -> Examples:
    import pandas as pd  # here, since IDX files do without

    path, pixels = folder / file.name, source.height * source.width
    label_column = 0 if source.label_column == "first" else pixels
    limits = np.full(1 + pixels, source.pixel_maximum)  # the largest value allowed in each column
    limits[label_column] = len(source.class_names) - 1
    with _opened(path) as content, np.errstate(invalid="ignore"):  # pandas casts inf, then refuses it
        try:
            # Refuses what doesn't fit uint8, and rows that are shorter or longer than the first.
            frame = pd.read_csv(content, header=None, dtype=np.uint8, quoting=csv.QUOTE_NONE, na_filter=False)
            table: NDArray[np.uint8] = np.ascontiguousarray(frame)
        except (ValueError, TypeError, OverflowError):
            table = np.empty((0, 0), np.uint8)
    if table.shape[1] != len(limits) or (table.max(axis=0) > limits).any():
        table = _table_row_by_row(path, limits.tolist(), label_column)
    _check_rows(path, len(table), file)
    images = np.delete(table, label_column, axis=1).reshape(-1, source.height, source.width)
    return Examples(images, table[:, label_column].copy(), source.pixel_maximum, tuple(source.class_names))


def _table_row_by_row(path: Path, limits: list[int], label_column: int) -> NDArray[np.uint8]:
    """The same, slowly; names the first wrong row, which pandas doesn't."""
    table: list[NDArray[np.uint8]] = []
    with _opened(path) as content, TextIOWrapper(content, "utf-8-sig", "replace") as lines:
        for row, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where, fields = f"{path}, row {row}", line.removesuffix("\n").split(",")
            text = excerpt(line.strip())
            if len(fields) != len(limits):
                expected = f"{len(limits)} with commas between: a label and {len(limits) - 1} pixels"
                raise InputError(where, found=f"{len(fields)} columns ({text})", expected=expected, do=_FIX)
            if not table and all(_integer(field.strip(' "')) is None for field in fields):
                raise InputError(where, found=f"a header ({text})", expected="no header", do="remove it")
            values = [_integer(field) for field in fields]
            for column, (value, limit) in enumerate(zip(values, limits, strict=True)):
                if value is None or not 0 <= value <= limit:
                    kind = "label" if column == label_column else "pixel"
                    expected = f"a {kind}, an integer from 0 to {limit}, without quotes"
                    where = f"{where}, column {column + 1}"
                    raise InputError(where, found=excerpt(fields[column]), expected=expected, do=_FIX)
            table.append(np.array(values, np.uint8))
    if not table:
        raise InputError(path, found="an empty file", expected="rows of examples", do=_FIX)
    return np.stack(table)


def _integer(field: str) -> int | None:
    """The integer in a field: 7 of ``7`` and ``7.0``; None of ``7.5``, ``x`` or nothing."""
    plain = field.strip().isascii() and "_" not in field  # Python reads 1_0 and other scripts' digits too
    try:
        value = float(field)
    except ValueError:
        return None
    return int(value) if plain and value.is_integer() else None


def _idx_source(folder: Path, source: IdxSource) -> tuple[Examples, Examples | None]:
    files = source.files
    train = _read_idx(folder, files.train_images, files.train_labels, source)
    if files.test_images and files.test_labels:
        return train, _read_idx(folder, files.test_images, files.test_labels, source)
    return train, None


def _read_idx(folder: Path, images: SourceFile, labels: SourceFile, source: IdxSource) -> Examples:
    images_path, labels_path = folder / images.name, folder / labels.name
    x = _read_idx_array(images_path, images, dimensions=3)
    y = _read_idx_array(labels_path, labels, dimensions=1)
    if x.shape[1:] != (source.height, source.width):
        found, expected = f"images of {x.shape[1]} × {x.shape[2]} pixels", f"{source.height} × {source.width}"
        raise InputError(images_path, found=found, expected=expected, do="fix the sizes in source.yaml")
    if len(x) != len(y):
        raise InputError(labels_path, found=f"{len(y)} labels", expected=f"{len(x)}, one an image", do=_FIX)
    for path, values, kind, limit in (
        (labels_path, y, "label", len(source.class_names) - 1),
        (images_path, x, "pixel", source.pixel_maximum),
    ):
        largest = values.reshape(len(values), -1).max(axis=1)
        if (largest > limit).any():
            row = int(np.argmax(largest > limit))
            expected = f"a {kind}, an integer from 0 to {limit}"
            raise InputError(f"{path}, row {row + 1}", found=str(largest[row]), expected=expected, do=_FIX)
    return Examples(x, y, source.pixel_maximum, tuple(source.class_names))


def _read_idx_array(path: Path, file: SourceFile, *, dimensions: int) -> NDArray[np.uint8]:
    """The array in an IDX file, ``uint8``, read-only; the format is at the end of LeCun's page on MNIST.

    A magic number (two zero bytes, 8 for unsigned bytes, the number of dimensions), each dimension as a
    big-endian 32-bit integer, the data.
    """
    with _opened(path) as opened:
        content = opened.read()
    magic, start = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic or len(content) < start:
        found = f"a header of 0x{content[:start].hex() or '(nothing)'}"
        expected = f"0x{magic.hex()} (IDX, {'images' if dimensions == 3 else 'labels'}), {dimensions} sizes"
        raise InputError(f"{path}, offset 0", found=found, expected=expected, do=_FIX)
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    size, promised = len(content) - start, math.prod(shape)
    if size != promised or not size:
        expected = f"{promised or 'some'}, for shape {shape}"
        raise InputError(f"{path}, offset {start}", found=f"{size} bytes of data", expected=expected, do=_FIX)
    _check_rows(path, shape[0], file)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _check_rows(path: Path, rows: int, file: SourceFile) -> None:
    if file.rows is not None and rows != file.rows:
        raise InputError(path, found=f"{rows} rows", expected=f"{file.rows} (source.yaml says so)", do=_FIX)


#: For each format of digits.core.sources, the function that reads training and test examples.
READERS: dict[type[Source], Callable[[Path, Any], tuple[Examples, Examples | None]]] = {
    CsvSource: _csv_source,
    IdxSource: _idx_source,
}
