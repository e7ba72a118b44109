"""Print text that may hold names from files; check where a page is written."""

import sys
from pathlib import Path

from digits.core.errors import InputError, printable


def show(text: str) -> None:
    """Print text that may hold names from files; on a terminal, escape control characters."""
    print(printable(text) if sys.stdout.isatty() else text, flush=True)


def check_page(path: Path) -> None:
    """Raise an InputError if ``path`` is a file that is no HTML page, so that it isn't overwritten."""
    if path.is_file() and b"<html" not in path.read_bytes()[:100].lower():
        raise InputError(path, "this file is not a web page", "Name another file with --output")
