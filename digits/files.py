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
    partial, replaced = _partial(path), _partial(path.with_name(f"{path.name}-replaced"))
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            path.rename(replaced)
        partial.rename(path)
    finally:
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def replacing_in(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; its files go to ``folder`` if the block ends well, else none does."""
    partial = _partial(folder)
    partial.mkdir(parents=True)
    try:
        yield partial
        folder.mkdir(exist_ok=True)
        for path in sorted(partial.iterdir()):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _partial(path: Path) -> Path:
    """A name beside ``path`` that no other process writes to; what killed processes left there is removed."""
    for left in path.parent.glob(f".partial-*-{glob.escape(path.name)}"):
        process = left.name.removeprefix(".partial-").removesuffix(f"-{path.name}")
        if process.isdecimal() and not _is_writing(int(process), left):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    # The suffix stays last: Keras and Matplotlib choose the format by it.
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def _is_writing(number: int, left: Path) -> bool:
    """Whether the process that began ``left`` is alive, not a zombie or another that has its number since."""
    import psutil  # here, since it is needed seldom

    try:
        process = psutil.Process(number)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= left.stat().st_mtime + 1
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False


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
