from pathlib import Path

from digits.core.variables import Variable, load_variables, save_variables

VARIABLES = [Variable("hidden_1/kernel", "64 × 100", 6400), Variable("hidden_1/bias", "100", 100)]


def test_variables_read_back(tmp_path: Path) -> None:
    save_variables(VARIABLES, tmp_path / "variables.csv")
    assert load_variables(tmp_path / "variables.csv") == VARIABLES
