"""Show what the last run's models reach, in one table: digits metrics"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tabulate import tabulate

from digits.core.errors import InputError
from digits.core.params import load_params
from digits.evaluate.metrics import METRICS
from digits.evaluate.scores import SPLITS


def main(*, root: Path = Path()) -> int:
    """Print a row for each model, and how many images the figures are of; 0.

    Raises:
        InputError: the pipeline hasn't run, or a file of it is damaged.
    """
    params = load_params(root)
    shown = [metric for metric in METRICS.values() if metric.in_git]

    def figures(document: Any) -> list[str]:
        return [f"{document[split][metric.name]:.4f}" for split in SPLITS for metric in shown]

    def counts(document: Any) -> list[str]:
        return [f"{count:,} {split}" for split, count in document.items()]

    rows = [[model, *_read(root, f"metrics/{model}.json", figures)] for model in params.train]
    heads = ["model", *(f"{split}\n{metric.label}" for split in SPLITS for metric in shown)]
    images = ", ".join(_read(root, "metrics/data.json", counts))
    align = ["left", *["right"] * (len(heads) - 1)]
    print(tabulate(rows, heads, tablefmt="simple", disable_numparse=True, colalign=align))
    print(f"\n{params.data.source}: {images} images")
    return 0


def _read(root: Path, name: str, words: Callable[[Any], list[str]]) -> list[str]:
    """Return ``words`` of the content of a JSON file; an InputError if it is missing or damaged."""
    try:
        return words(json.loads((root / name).read_bytes()))
    except FileNotFoundError:
        raise InputError(name, found="no such file", expected="a finished run's", do="make run") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            name,
            found=f"a damaged file ({error})",
            expected="a finished run's",
            do=f"dvc repro, or git restore {name}",
        ) from None
