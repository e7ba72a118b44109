"""Show the metrics of the last run's models, in one table: digits metrics"""

from pathlib import Path
from typing import Any

from tabulate import tabulate

from digits.cli.json_files import read_json
from digits.cli.state import outdated_model, warn
from digits.core.params import load_params
from digits.evaluate.metrics import METRICS
from digits.evaluate.scores import SPLITS


def main(*, root: Path = Path()) -> int:
    """Print a row for each model, and the number of images in each split; return 0."""
    params = load_params(root)
    shown = [metric for metric in METRICS.values() if metric.in_git]

    def row(document: Any) -> list[str]:
        return [f"{document[split][metric.name]:.4f}" for split in SPLITS for metric in shown]

    def counts(document: Any) -> list[str]:
        return [f"{count:,} {split}" for split, count in document.items()]

    rows = [[model, *read_json(root, f"metrics/{model}.json", row)] for model in params.train]
    heads = ["model", *(f"{split}\n{metric.label}" for split in SPLITS for metric in shown)]
    images = ", ".join(read_json(root, "metrics/data.json", counts))
    align = ["left", *["right"] * (len(heads) - 1)]
    print(tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=align))
    print(f"\n{params.data.source}: {images} images")
    for model in params.train:
        warn(outdated_model(model, root))
    return 0
