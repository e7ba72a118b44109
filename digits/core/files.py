"""Write files whole or not at all, and read the outputs of stages."""

import csv
import glob
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

from digits.core.errors import InputError

#: Exceptions that readers of CSV, JSON and NumPy files raise for a damaged file.
DAMAGED = (AttributeError, BadZipFile, EOFError, IndexError, KeyError, TypeError, ValueError, zlib.error)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to. It replaces ``path`` if the block succeeds, or else is removed.

    The old file at ``path`` is unchanged until then, so that nobody ever reads half a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_by_killed_process in path.parent.glob(f".partial-*-{glob.escape(path.name)}"):
        _remove(left_by_killed_process)
    # The suffix stays last: Keras and Matplotlib choose the format by it.
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        _remove(partial)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill. If the block succeeds, it replaces ``path``, or that link's target."""
    path = path.resolve()
    with replacing(path) as partial:
        partial.mkdir()
        yield partial
        shutil.rmtree(path, ignore_errors=True)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def reading(path: Path, stage: str) -> Iterator[None]:
    """Raise an InputError if the block finds ``path``, an output of ``stage``, missing or damaged."""
    writer, fix = f"stage {stage} writes it", f"Run `dvc repro {stage}`"
    try:
        yield
    except FileNotFoundError:
        raise InputError(path, f"no such file; {writer}", fix) from None
    except DAMAGED as error:
        raise InputError(path, f"damaged ({error}); {writer}", fix) from None


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as JSON that git can show line by line."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with a header; the same bytes on every platform."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def read_csv(path: Path) -> dict[str, list[str]]:
    """The columns of a table that :func:`write_csv` wrote, by the names in its header."""
    with path.open(encoding="utf-8", newline="") as file:
        return {name: column for name, *column in zip(*csv.reader(file), strict=True)}
