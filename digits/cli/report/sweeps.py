"""The sweeps whose results are there, as the page shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.cli.report.pictures import png_url
from digits.cli.sweep.results import FOLDER, read_summary
from digits.core.errors import InputError

FIGURES = {
    "history.png": "each trial's objective on validation, in the order of the trials, and the best so far",
    "parallel.png": "a line for each complete trial through its parameters to its objective; the best bold",
    "importance.png": "how much each parameter matters to be among the best",
}


@dataclass(frozen=True)
class Shown:
    """One sweep.

    Attributes:
        name: of the sweep.
        model: that it searched for.
        data: the name of the data source.
        trials: how many there are, by state.
        best: the best one's number, figures and parameters; None: no trial is complete.
        figures: ``data:`` URLs and what they show.
    """

    name: str
    model: str
    data: str
    trials: dict[str, int]
    best: dict[str, Any] | None
    figures: list[tuple[str, str]]


def sweeps(root: Path) -> Iterator[Shown]:
    """All in metrics/sweeps, by name; a damaged one is left out.

    A page is no place to stop for that: ``digits sweep`` says what is wrong.
    """
    for folder in sorted((root / FOLDER).glob("*/")):
        try:
            summary = read_summary(folder)
        except InputError:
            continue
        figures = [
            (png_url((folder / name).read_bytes()), f"{folder.name}: {says}")
            for name, says in FIGURES.items()
            if (folder / name).exists()
        ]
        model, data = summary["sweep"]["model"], summary["data"]
        yield Shown(folder.name, model, data, summary["trials"], summary["best"], figures)
