import pickle
from pathlib import Path

import pytest

from digits.core.errors import InputError, excerpt
from digits.core.params import Augmentation
from digits.core.yaml_files import validated


def test_an_error_is_one_line() -> None:
    error = InputError("a\nb", "c\n\n  d", "E")
    assert str(error) == "a b: c d. E."


def test_an_error_can_be_pickled() -> None:
    """Process pools pickle errors, also those of :func:`validated`, which have a line for each key."""
    with pytest.raises(InputError) as raised:
        validated(Augmentation, {"rotation": "x", "shift": "y"}, path=Path("a.yaml"))
    for error in (InputError("a", "b", "C"), raised.value):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert type(copy) is type(error)
        assert str(copy) == str(error)
    assert "\n" in str(raised.value)


def test_an_excerpt_is_cut() -> None:
    assert excerpt("x" * 100) == "'" + "x" * 38 + "…"
    assert excerpt(7) == "7"
