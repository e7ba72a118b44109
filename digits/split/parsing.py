"""Published bytes to examples: CSV and IDX, every row checked."""

import gzip
import io
import math
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from digits.core.errors import InputError, excerpt
from digits.core.examples import Examples, Images, Labels
from digits.core.sources import CsvSource, IdxSource, Source, SourceFile

_MEND = "mend the file, or fetch it anew: delete it and run dvc repro"

#: Pictures of digits shrink to a tenth, a gzip bomb to a thousandth: what unpacks to more than so many
#: times its size, and to more than a little, is no data set.
_MOST_UNPACKED, _LITTLE = 100, 64 * 2**20


def read_source(folder: Path, source: Source) -> tuple[Examples, Examples | None]:
    """The source's training examples and, where it publishes some, its test examples.

    Args:
        folder: holds the source's files as they were published.
        source: how they are laid out.

    Raises:
        InputError: a file is damaged, or a row of it isn't what the source says; the line names
            the file and the row.
    """
    return READERS[type(source)](folder, source)


def _most_bytes(path: Path) -> int:
    """How many bytes may come out of the file, packed or not."""
    return max(_LITTLE, _MOST_UNPACKED * path.stat().st_size)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's content, decompressed if it is gzip, whatever its name says."""
    try:
        with path.open("rb") as file:
            magic = file.read(2)
            file.seek(0)
            if magic == b"\x1f\x8b":
                with gzip.open(file) as content:
                    yield content  # type: ignore[misc]  # a GzipFile reads as IO[bytes] does
            else:
                yield file
    except FileNotFoundError:
        raise InputError(
            path, found="no such file", expected="the downloaded file", do="dvc repro download"
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(path, found=f"broken gzip ({error})", expected="a whole file", do=_MEND) from None


# --- CSV ---------------------------------------------------------------------------------------


def _csv_source(folder: Path, source: CsvSource) -> tuple[Examples, Examples | None]:
    train = _read_csv(folder, source.files.train, source)
    return train, None if source.files.test is None else _read_csv(folder, source.files.test, source)


def _read_csv(folder: Path, file: SourceFile, source: CsvSource) -> Examples:
    path = folder / file.name
    table = _table(path, file, source)
    if not _fits(table, source):
        table = _table_row_by_row(path, file, source)
    _check_rows(path, len(table), file)
    labels, pixels = _labels_and_pixels(table, source)
    images = np.ascontiguousarray(pixels).reshape(-1, source.height, source.width)
    return Examples(images, labels.copy(), source.pixel_maximum, tuple(source.class_names))


def _table(path: Path, file: SourceFile, source: CsvSource) -> NDArray[np.uint8]:
    """The file's numbers ``[rows, columns]``, or nothing where one isn't plainly an integer of 0–255."""
    with _lines(path, file, source) as lines, warnings.catch_warnings():
        warnings.simplefilter("error")  # of an empty file, and by older NumPy of 7.5 taken for 7
        try:
            return np.loadtxt(lines, np.uint8, delimiter=",", comments=None, ndmin=2)
        except (ValueError, Warning):
            return np.empty((0, 0), np.uint8)


@contextmanager
def _lines(path: Path, file: SourceFile, source: CsvSource) -> Iterator[IO[str]]:
    """The file's lines, which end at \\n, \\r or both; a byte-order mark is no part of the first."""
    with _opened(path) as content:
        bounded = _Bounded(content, path, 1 + source.height * source.width, file.rows)
        with io.TextIOWrapper(bounded, encoding="utf-8-sig", errors="replace") as lines:
            yield lines


class _Bounded(io.BufferedIOBase):
    """A CSV file's bytes as long as they may be rows, so that no file, however large, fills the memory.

    Raises:
        InputError: while it is read: a line is longer, or there are more lines, than any table of
            ``columns`` and ``rows`` has, the file unpacks to more than its size explains, or it is of
            another kind.
    """

    CHUNK = 2**16
    FIELD = 32  # bytes: NumPy's savetxt writes 2.550000000000000000e+02 and a comma
    KINDS = (
        (b"PK\3\4", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
        (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
        (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
        (b"BZh", "a bzip2 file", "unpack it, or pack it with gzip"),
        (b"\xfd7zXZ", "an xz file", "unpack it, or pack it with gzip"),
    )

    def __init__(self, content: IO[bytes], path: Path, columns: int, rows: int | None) -> None:
        self.name = path.name  # which io.TextIOWrapper shows
        self._content, self._path, self._columns, self._rows = content, path, columns, rows
        # Not less than a chunk: the lines within one need no look then.
        self._longest = max(self.CHUNK, self.FIELD * columns)
        # A row may end in \r\n and have a blank line behind it.
        self._most_ends = math.inf if rows is None else 4 * rows + 1000
        self._most_bytes = _most_bytes(path)
        self._bytes = self._ends = self._line = 0

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        data = self._content.read(self.CHUNK)
        if not self._bytes:
            for magic, kind, do in self.KINDS:
                if data.startswith(magic):
                    raise InputError(self._path, found=kind, expected="CSV, plain or gzip", do=do)
        text = data.replace(b"\r", b"\n")
        first = text.find(b"\n")
        line = self._line + (len(text) if first < 0 else first)
        if line > self._longest:
            raise InputError(
                f"{self._path}, offset {self._bytes - self._line}",
                found=f"a line of more than {self._longest} bytes",
                expected=f"a row of {self._columns} columns",
                do=_MEND,
            )
        self._line = line if first < 0 else len(text) - 1 - text.rfind(b"\n")
        self._ends += text.count(b"\n")
        self._bytes += len(data)
        if self._ends > self._most_ends:
            raise InputError(
                self._path,
                found=f"more than {self._most_ends} line ends",
                expected=f"{self._rows} rows (source.yaml says so)",
                do=_MEND,
            )
        if self._bytes > self._most_bytes:
            raise InputError(
                self._path,
                found=f"gzip that unpacks to more than {_MOST_UNPACKED} times its size",
                expected="a data set, which shrinks to a tenth or so",
                do="if it is right, name an unpacked copy in source.yaml",
            )
        return data


def _labels_and_pixels(table: NDArray[Any], source: CsvSource) -> tuple[NDArray[Any], NDArray[Any]]:
    if source.label_column == "first":
        return table[:, 0], table[:, 1:]
    return table[:, -1], table[:, :-1]


def _fits(table: NDArray[np.uint8], source: CsvSource) -> bool:
    if table.shape[1] != 1 + source.height * source.width:
        return False
    labels, pixels = _labels_and_pixels(table, source)
    return bool(labels.max() < len(source.class_names) and pixels.max() <= source.pixel_maximum)


def _table_row_by_row(path: Path, file: SourceFile, source: CsvSource) -> NDArray[np.uint8]:
    """The same slowly: takes 7.0 for 7, passes over blank lines, and names the first row that isn't right."""
    pixels = source.height * source.width
    label_at = 0 if source.label_column == "first" else pixels
    table = bytearray()
    with _lines(path, file, source) as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{path}, row {number}"
            line = line.removesuffix("\n")
            if not line.strip():
                continue
            fields = line.split(",")
            if len(fields) != pixels + 1:
                _refuse_columns(
                    where, line, f"{pixels + 1}: a label and {source.height} × {source.width} pixels"
                )
            values = [_integer(field) for field in fields]
            if not table and not any(_integer(field.replace('"', "")) is not None for field in fields):
                raise InputError(
                    where,
                    found=f"a header ({excerpt(line)})",
                    expected="no header",
                    do="remove the row",
                )
            for column, (field, value) in enumerate(zip(fields, values, strict=True)):
                is_label = column == label_at
                limit = len(source.class_names) - 1 if is_label else source.pixel_maximum
                if value is None or not 0 <= value <= limit:
                    raise InputError(
                        f"{where}, column {column + 1}",
                        found=excerpt(field),
                        expected=f"a {'label' if is_label else 'pixel'}, an integer from 0 to {limit}",
                        do="write numbers without quotes" if '"' in field else _MEND,
                    )
                table.append(value)
    if not table:
        raise InputError(path, found="an empty file", expected="rows of examples", do=_MEND)
    return np.frombuffer(table, np.uint8).reshape(-1, pixels + 1)


def _refuse_columns(where: str, line: str, expected: str) -> NoReturn:
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), (" ", "spaces")):
        if separator in line.strip() and "," not in line:
            raise InputError(
                where, found=f"{name} between columns ({excerpt(line)})", expected="commas", do="write commas"
            )
    found = f"{line.count(',') + 1} columns ({excerpt(line)})"
    raise InputError(where, found=found, expected=expected, do=_MEND)


def _integer(field: str) -> int | None:
    """The integer in a field: ``7`` and ``7.0``, but not ``7.5``, ``x`` or nothing."""
    field = field.strip()
    if not field.isascii() or "_" in field:  # Python alone reads these as digits and separator
        return None
    try:
        value = float(field)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


# --- IDX ---------------------------------------------------------------------------------------
# The format is described at the end of LeCun's page: a magic number (two zero bytes, 8 for
# unsigned bytes, the number of dimensions), each dimension as a big-endian 32-bit integer, the data.


def _idx_source(folder: Path, source: IdxSource) -> tuple[Examples, Examples | None]:
    files = source.files
    train = _read_idx(folder, files.train_images, files.train_labels, source)
    if files.test_images is None or files.test_labels is None:
        return train, None
    return train, _read_idx(folder, files.test_images, files.test_labels, source)


def _read_idx(folder: Path, images: SourceFile, labels: SourceFile, source: IdxSource) -> Examples:
    images_path, labels_path = folder / images.name, folder / labels.name
    x: Images = _read_idx_array(images_path, dimensions=3)
    y: Labels = _read_idx_array(labels_path, dimensions=1)
    _check_rows(images_path, len(x), images)
    _check_rows(labels_path, len(y), labels)
    if x.shape[1:] != (source.height, source.width):
        raise InputError(
            images_path,
            found=f"images of {x.shape[1]} × {x.shape[2]} pixels",
            expected=f"{source.height} × {source.width}",
            do="mend height and width in source.yaml",
        )
    if len(x) != len(y):
        raise InputError(
            labels_path,
            found=f"{len(y)} labels",
            expected=f"{len(x)}, one for each image in {images_path.name}",
            do=_MEND,
        )
    for path, values, what, limit in (
        (labels_path, y, "label", len(source.class_names) - 1),
        (images_path, x, "pixel", source.pixel_maximum),
    ):
        if values.max() > limit:
            row = int(np.argmax(values.reshape(len(values), -1).max(axis=1) > limit))
            raise InputError(
                f"{path}, row {row + 1}",
                found=str(values[row].max()),
                expected=f"a {what}, an integer from 0 to {limit}",
                do=_MEND,
            )
    return Examples(x, y, source.pixel_maximum, tuple(source.class_names))


def _read_idx_array(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """The array in an IDX file, read-only: ``uint8``, with ``dimensions`` axes."""
    with _opened(path) as content:
        magic = content.read(4)
        expected = bytes([0, 0, 8, dimensions])
        if magic != expected:
            kinds = {1: "labels", 3: "images"}
            raise InputError(
                f"{path}, offset 0",
                found=f"magic number 0x{magic.hex() or '(nothing)'}",
                expected=f"0x{expected.hex()}: IDX, unsigned bytes, {kinds[dimensions]}",
                do=_MEND,
            )
        header = content.read(4 * dimensions)
        if len(header) < 4 * dimensions:
            raise InputError(
                path, found="the end of the file in its header", expected="a whole file", do=_MEND
            )
        shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
        size = int(np.prod(shape, dtype=object))
        if size == 0:
            raise InputError(path, found=f"no data (shape {shape})", expected="examples", do=_MEND)
        too_large = InputError(
            f"{path}, offset 4",
            found=f"shape {shape}, from a file of {path.stat().st_size} bytes",
            expected=f"at most {_MOST_UNPACKED} times as much, and what fits memory",
            do=_MEND,
        )
        if size > _most_bytes(path):
            raise too_large
        # One byte more than promised is asked for, so that neither a short nor a long file
        # passes, and a header that promises too little never unpacks a huge file.
        try:
            data = content.read(size + 1)
        except MemoryError:
            raise too_large from None
    if len(data) != size:
        raise InputError(
            f"{path}, offset {4 + 4 * dimensions}",
            found=f"{'more than ' if len(data) > size else ''}{min(len(data), size)} bytes of data",
            expected=f"{size}, for shape {shape}",
            do=_MEND,
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _check_rows(path: Path, rows: int, file: SourceFile) -> None:
    if file.rows is not None and rows != file.rows:
        raise InputError(
            path,
            found=f"{rows} rows",
            expected=f"{file.rows} (source.yaml says so)",
            do=_MEND,
        )


#: For each format of digits.core.sources, the function that reads training and test examples.
READERS: dict[type[Source], Callable[[Path, Any], tuple[Examples, Examples | None]]] = {
    CsvSource: _csv_source,
    IdxSource: _idx_source,
}
