"""Read two revisions' results from git and DVC's cache, and compare them: digits compare"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.index import DataIndexDirError
from pydantic import FiniteFloat, TypeAdapter

from digits.cli.comparison import Part, Results, compare
from digits.cli.flattening import flat, recorded_hashes
from digits.cli.git import commit_of
from digits.cli.json_files import parsed
from digits.cli.output import show
from digits.cli.state import check_state
from digits.core.errors import InputError
from digits.core.predictions import Predictions
from digits.core.yaml_files import parse_mapping
from digits.evaluate.scores import SPLITS, parse_scores

WORKSPACE = "workspace"
ROWS = TypeAdapter(dict[str, int])
METRICS = TypeAdapter(dict[str, dict[str, FiniteFloat]])

T = TypeVar("T")


def main(
    before: str | None,
    after: str | None,
    *,
    between: tuple[str, str] | None,
    style: str,
    conditions: list[str],
    root: Path = Path(),
) -> int:
    """Print the comparison of two revisions; return 1 if one of the conditions holds, else 0.

    ``between`` names two models, to compare the second with the first. Both are of the revision ``before``,
    or of the workspace if none is given.
    """
    before = before or (WORKSPACE if between else "HEAD")
    after = after or (before if between else WORKSPACE)
    both = [
        read_results(root, revision, (model, " → ".join(between)) if between else None)
        for revision, model in zip((before, after), between or ("", ""), strict=True)
    ]
    comparison = compare(*both)
    if WORKSPACE in (before, after):
        check_state(root, "--fail-if" if conditions else "")
    failures = [(text, change) for text in conditions for change in comparison.failures(text)]
    show(comparison.as_json() if style == "json" else comparison.as_table(markdown=style == "markdown"))
    for text, change in failures:
        value = "is gone" if change.after is None else f"went from {change.before} to {change.after}"
        print(f"failed: {text}: {change.model}/{change.split}/{change.metric} {value}", file=sys.stderr)
    return 1 if failures else 0


def read_results(root: Path, revision: str, only: tuple[str, str] | None = None) -> Results:
    """Return the results of a git revision, a DVC experiment or the workspace.

    ``only``: the one model to read, and the label to use as the name of its results.

    Raises:
        InputError: there is no such revision, it has no metrics, or a file of it is damaged.
    """
    commit = WORKSPACE if revision == WORKSPACE else commit_of(root, revision)
    with Repo(str(root)) as repo, repo.switch(commit):

        def read(path: str, parse: Callable[[bytes], T]) -> T | None:
            """Return what a file holds; None if neither git nor DVC has it."""
            try:
                content = repo.dvcfs.read_bytes(f"/{path}")
            except (DataIndexDirError, DvcException, ImportError, OSError):
                return None
            return parsed(content, f"{path} at {revision}", parse)

        def read_yaml(path: str) -> dict[str, Any]:
            return read(path, lambda content: parse_mapping(content, f"{path} at {revision}")) or {}

        params = read_yaml("params.yaml")
        recipes = params.get("train") or {}
        metrics: dict[Part, dict[str, float]] = {}
        predictions: dict[Part, Predictions] = {}
        for model in recipes if only is None else [only[0]]:
            saved = read(f"metrics/{model}.json", METRICS.validate_json) or {}
            scores = read(f"predictions/{model}/scores.json", parse_scores) or {}
            for split in (split for split in SPLITS if split in saved):
                part = only[1] if only else model, split
                metrics[part] = saved[split]
                # In the workspace, predictions may be of another run: use those that agree with the metrics.
                if split in scores and saved[split].items() <= scores[split].metrics.items():
                    metrics[part] = scores[split].metrics
                    if found := read(f"predictions/{model}/{split}.csv", Predictions.parse):
                        predictions[part] = found
        deps = recorded_hashes(read_yaml("dvc.lock"), "deps")
        data = {split: deps.get(f"data/splits/{split}.npz", "") for split in SPLITS}
        rows = read("metrics/data.json", ROWS.validate_json) or {}
    name = f"{only[0]} of {revision}" if only else revision
    if not metrics:
        fix = f"Name another revision, or one of the models {', '.join(recipes)}"
        raise InputError(name, "no metrics/<model>.json found", fix)
    settings = {"train": recipes.get(only[0])} if only else params
    return Results(name, flat(settings), data, rows, metrics, predictions)
