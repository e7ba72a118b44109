"""The splits that the pipeline made, for commands that train on them."""

from pathlib import Path

from digits.core.errors import InputError
from digits.core.examples import Examples


def load_split(root: Path, name: str) -> Examples:
    """The split of that name.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = root / f"data/splits/{name}.npz"
    try:
        return Examples.load(path)
    except FileNotFoundError:
        raise InputError(path, found="no such file", expected="a split", do="dvc repro split") from None
