"""Where a command may write, and what it may say to a terminal."""

import sys
from collections.abc import Iterable
from pathlib import Path

from digits.core.errors import InputError, printable


def show(text: str) -> None:
    """Print lines that hold names from files; what would steer a terminal is escaped where there is one."""
    print(printable(text) if sys.stdout.isatty() else text, flush=True)


def keep_out(output: Path, outs: Iterable[tuple[object, Path | str]]) -> None:
    """Refuse a place in an output of a stage.

    Args:
        output: where a command would write.
        outs: of each output of a stage, what it is called, and its path.

    Raises:
        InputError: ``output`` is one of them, or lies in one.
    """
    for name, path in outs:
        if output.resolve().is_relative_to(path):
            raise InputError(
                output, found=f"a place in {name}", expected="one that no stage writes", do="name another"
            )
