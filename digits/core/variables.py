"""What a network learnt, as a table of its variables: variables.csv."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from digits.core.files import read_csv, reading, write_csv


class Variable(NamedTuple):
    """One variable: its name, its shape as ``64 × 100``, and how many numbers it holds."""

    name: str
    shape: str
    numbers: int


def save_variables(variables: Sequence[Variable], path: Path) -> None:
    """Write a CSV file that :func:`load_variables` reads."""
    write_csv(path, Variable._fields, variables)


def load_variables(path: Path) -> list[Variable]:
    """Read what :func:`save_variables` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    with reading(path, "train"):
        table = read_csv(path)
        columns = (table["name"], table["shape"], map(int, table["numbers"]))
        return [Variable(*row) for row in zip(*columns, strict=True)]
