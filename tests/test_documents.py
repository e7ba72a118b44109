"""The numbers in the documents' tables are those of the experiments in git that they name."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import REPOSITORY

DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
COLUMNS = {
    "validation accuracy": ("validation", "accuracy"),
    "test accuracy": ("test", "accuracy"),
    "test log loss": ("test", "log_loss"),
}


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True).stdout


COMMITS = [line.split(" ", 1) for line in git("log", "--reverse", "--format=%H %s").splitlines()]
#: The newest commit of each experiment, by its name.
EXPERIMENTS = {
    subject.removeprefix("experiment: "): commit
    for commit, subject in COMMITS
    if subject.startswith("experiment: ")
}

pytestmark = pytest.mark.skipif(not EXPERIMENTS, reason="git has no experiment: git fetch --unshallow")


def metrics(commit: str, model: str) -> dict[str, Any]:
    """The model's metrics, in the layout of today or the one before: a file for each split."""
    if text := git("show", f"{commit}:metrics/{model}.json"):
        return dict(json.loads(text))
    return {
        split: json.loads(git("show", f"{commit}:metrics/{model}/{split}.json"))
        for split in ("validation", "test")
    }


def rows() -> Iterator[Any]:
    """Each row of a table whose first column is an experiment: its name, and the numbers by column."""
    for path in DOCUMENTS:
        header: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if not header:
                header = cells
            elif not cells:
                header = []
            elif header[0] == "experiment" and not cells[0].startswith("--"):
                numbers = dict(zip(header[1:], cells[1:], strict=True))
                yield pytest.param(cells[0], numbers, id=f"{path.name}: {cells[0]}")


@pytest.mark.parametrize(("name", "numbers"), list(rows()))
def test_a_row_has_the_numbers_of_its_experiment(name: str, numbers: dict[str, str]) -> None:
    model = "linear" if name.startswith("linear") else "dnn"
    found = metrics(EXPERIMENTS[name], model)
    for column, number in numbers.items():
        split, key = COLUMNS[column]
        assert number == f"{found[split][key]:.{len(number) - 2}f}", column


def test_the_readme_has_the_numbers_of_the_default_data() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for model in ("linear", "dnn"):
        found = metrics(EXPERIMENTS["the course's recipes on the bundled digits"], model)
        numbers = [f"{found[split][key]:.3f}" for split, key in COLUMNS.values()]
        assert f"| {model} | {' | '.join(numbers)} |" in text
