"""Write files whole or not at all."""

import csv
import glob
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; it becomes ``path`` when the block ends well, and is removed otherwise.

    What stood at ``path`` stays as it was until then, so that nobody ever reads half a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill; it becomes ``path`` when the block ends well, and is removed otherwise."""
    partial = _partial(path)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _partial(path: Path) -> Path:
    """A name beside ``path`` for this process; what processes before it left there is removed."""
    for left in path.parent.glob(f".partial-*-{glob.escape(path.name)}"):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    # The suffix stays last: Keras and Matplotlib choose the format by it.
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def write_json(path: Path, value: object) -> None:
    """``value`` as JSON that git can show line by line."""
    with replacing(path) as partial:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table with a header; the same bytes on every platform."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_csv(path: Path) -> dict[str, list[str]]:
    """The columns of a table that :func:`write_csv` wrote, by the names in its header."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {name: [row[at] for row in rows] for at, name in enumerate(header)}
