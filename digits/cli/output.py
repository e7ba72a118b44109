"""Print text that may hold names from files; put values into words; check where a page is written."""

import sys
from pathlib import Path
from typing import Any

from digits.core.errors import InputError, printable

#: Columns of a terminal that long lines are wrapped to.
WIDTH = 120


def show(text: str) -> None:
    """Print text that may hold names from files; on a terminal, escape control characters."""
    print(printable(text) if sys.stdout.isatty() else text, flush=True)


def words(value: Any) -> str:
    """A parameter as params.yaml has it; ``none`` for null, and for one that isn't there."""
    if isinstance(value, list):
        return f"[{', '.join(map(words, value))}]"
    return "none" if value is None else str(value)


def rounded(value: Any) -> str:
    """A parameter in words, with four digits of a number that isn't whole."""
    return f"{value:.4g}" if isinstance(value, float) else words(value)


def check_page(path: Path) -> None:
    """Raise an InputError if ``path`` is a file that is no HTML page, so that it isn't overwritten."""
    if path.is_file() and b"<html" not in path.read_bytes()[:100].lower():
        raise InputError(path, "this file is not a web page", "Name another file with --output")
