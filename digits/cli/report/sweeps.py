"""The results of sweeps, for the page."""

from collections.abc import Iterator
from pathlib import Path

from digits.cli.report.rendering import Picture, picture
from digits.cli.sweep.results import FOLDER, Results
from digits.core.errors import InputError

CHARTS = {
    "history.png": "the objective that each trial reached on validation, and the best so far",
    "importance.png": "how much each parameter matters to be among the best, from {} trials",
}


def sweeps(root: Path) -> Iterator[tuple[Results, list[tuple[Picture, str]]]]:
    """Yield each sweep in metrics/sweeps that isn't damaged, with its charts and their texts."""
    for folder in sorted((root / FOLDER).glob("*/")):
        try:
            results = Results.load(folder)
        except InputError:
            continue
        ended = sum(trial["state"] != "failed" for trial in results.trials)
        charts = [(folder / name, f"{folder.name}: {text.format(ended)}") for name, text in CHARTS.items()]
        yield results, [(picture(path), text) for path, text in charts if path.exists()]
