from pathlib import Path

import pytest

from digits.core.errors import InputError
from digits.core.model_input import ModelInput

MODEL_INPUT = ModelInput(8, 9, 16, ("нуль", 'a "b"'), 7, "mass", (4.25, 4.5))


def test_a_model_input_reads_back(tmp_path: Path) -> None:
    MODEL_INPUT.save(tmp_path / "input.json")
    assert ModelInput.load(tmp_path / "input.json") == MODEL_INPUT


@pytest.mark.parametrize(("old", "new"), [("8", "0"), ('"mass"', '"middle"')])
def test_a_damaged_file_is_reported(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "input.json"
    MODEL_INPUT.save(path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=r"input\.json: damaged .*Run `dvc repro train`"):
        ModelInput.load(path)
