"""Print text that may hold names from files."""

import sys

from digits.core.errors import printable

#: Columns of a terminal that a table fits into.
WIDTH = 120


def show(text: str) -> None:
    """Print lines that hold names from files; what would steer a terminal is escaped where there is one."""
    print(printable(text) if sys.stdout.isatty() else text, flush=True)
