from pathlib import Path

import pytest

from digits.core.errors import InputError
from digits.core.variables import Variable, load_variables, save_variables

VARIABLES = [Variable("hidden_1/kernel", "64 × 100", 6400), Variable("hidden_1/bias", "100", 100)]


def test_variables_read_back(tmp_path: Path) -> None:
    save_variables(VARIABLES, tmp_path / "variables.csv")
    assert load_variables(tmp_path / "variables.csv") == VARIABLES


@pytest.mark.parametrize(("old", "new"), [("shape", "size"), ("6400", "many"), (",100,100\n", "")])
def test_a_damaged_file_is_named(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "variables.csv"
    save_variables(VARIABLES, path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=r"variables\.csv: found a damaged table"):
        load_variables(path)
