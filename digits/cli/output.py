"""Print text that may hold names from files; check where a page is written."""

import sys
from pathlib import Path

from digits.core.errors import InputError, printable


def show(text: str) -> None:
    """Print lines that hold names from files; what would steer a terminal is escaped where there is one."""
    print(printable(text) if sys.stdout.isatty() else text, flush=True)


def check_page(path: Path) -> None:
    """Raise an InputError if a page would replace a file that is none."""
    if path.is_file() and b"<html" not in path.read_bytes()[:100].lower():
        raise InputError(path, "this file is not a web page", "Name another file with --output")
