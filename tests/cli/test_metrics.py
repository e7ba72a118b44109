"""``digits metrics``: the table of what is in metrics/."""

import json
import shutil
from pathlib import Path

import pytest

from digits.cli.metrics import main
from digits.core.errors import InputError
from digits.evaluate.metrics import METRICS
from tests.conftest import REPOSITORY

MODELS = {
    "linear": {"accuracy": 0.96104, "log_loss": 0.24546},
    "dnn": {"accuracy": 1.0, "log_loss": 123.45678},
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two metrics, made up: on test both are 1 less than on validation."""
    two = {name: METRICS[name] for name in ("accuracy", "log_loss")}
    monkeypatch.setattr("digits.cli.metrics.METRICS", two)
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    (tmp_path / "metrics").mkdir()
    for model, figures in MODELS.items():
        lower = {name: value - 1 for name, value in figures.items()}
        (tmp_path / f"metrics/{model}.json").write_text(json.dumps({"validation": figures, "test": lower}))
    (tmp_path / "metrics/data.json").write_text('{"train": 60000, "validation": 40, "test": 30}')
    return tmp_path


def test_the_numbers_are_those_of_the_files(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(root=root) == 0
    splits, header, line, *rows, empty, counts = capsys.readouterr().out.splitlines()
    assert splits.split() == ["model", *["validation"] * 2, *["test"] * 2]
    assert header.split() == ["accuracy", "log", "loss"] * 2
    assert [row.split() for row in rows] == [
        [model, *(f"{value - lower:.4f}" for lower in (0, 1) for value in figures.values())]
        for model, figures in MODELS.items()
    ]
    assert (set(line), empty) == ({"-", " "}, "")
    assert counts == "digits: 60,000 train, 40 validation, 30 test images"
    assert max(map(len, (splits, header, line, *rows, counts))) <= 100


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "data.json",
            None,
            "metrics/data.json: no such file, expected the results of a run. Run `make run`.",
        ),
        ("linear.json", "{", "metrics/linear.json: damaged, or written by an older"),
        ("linear.json", "{\n<<<<<<< HEAD\n", "metrics/linear.json, line 2: found conflict markers of a git"),
        ("linear.json", "[1]", "metrics/linear.json: damaged"),
        ("data.json", '{"train": "many"}', "metrics/data.json: damaged"),
    ],
)
def test_what_cannot_be_shown_is_one_line(name: str, content: str | None, message: str, root: Path) -> None:
    (root / "metrics" / name).unlink()
    if content:
        (root / "metrics" / name).write_text(content)
    with pytest.raises(InputError) as caught:
        main(root=root)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
