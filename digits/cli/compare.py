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
from digits.cli.flattening import flat
from digits.cli.output import show
from digits.cli.revisions import WORKSPACE, commit_of, open_repo
from digits.cli.state import check_state
from digits.core.errors import InputError
from digits.core.predictions import Predictions
from digits.core.yaml_files import parse_mapping, refuse_conflict
from digits.evaluate.scores import SPLITS, parse_scores

STYLES = {"table": "simple", "markdown": "github"}

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
    """Print the comparison; return 1 if a condition holds, else 0.

    Args:
        before: a revision; HEAD if not given, or with ``between`` the workspace.
        after: another; the workspace if not given, or with ``between`` the same as before.
        between: two models: the first one's results before, the second one's after.
        style: table, markdown or json.
        conditions: see :meth:`Comparison.failures`.
        root: the project's folder.
    """
    before = before or (WORKSPACE if between else "HEAD")
    after = after or (before if between else WORKSPACE)
    with open_repo(root) as repo:
        both = [read_results(repo, revision) for revision in (before, after)]
    if between:
        label = " → ".join(between)
        both = [results.of_model(model, label) for results, model in zip(both, between, strict=True)]
    comparison = compare(*both)
    if WORKSPACE in (before, after):
        check_state(root, "--fail-if" if conditions else None)
    failures = [(text, change) for text in conditions for change in comparison.failures(text)]
    show(comparison.as_json() if style == "json" else comparison.as_table(STYLES[style]))
    for text, change in failures:
        value = "is gone" if change.after is None else f"went from {change.before} to {change.after}"
        print(f"failed: {text}: {change.model}/{change.split}/{change.metric} {value}", file=sys.stderr)
    return 1 if failures else 0


def read_results(repo: Repo, revision: str) -> Results:
    """Return the results of a git revision, a DVC experiment or the workspace.

    Raises:
        InputError: there is no such revision, it has no metrics, or a file of it is damaged.
    """
    with repo.switch(commit_of(repo, revision) or WORKSPACE):
        fs = repo.dvcfs

        def read(path: str, parse: Callable[[bytes], T]) -> T | None:
            """Return what a file holds; None if neither git nor DVC has it."""
            try:
                content = fs.read_bytes(f"/{path}")
            except (FileNotFoundError, IsADirectoryError, DataIndexDirError, DvcException):
                return None
            try:
                return parse(content)
            except ValueError:
                refuse_conflict(content.decode(errors="replace"), f"{path} at {revision}")
                raise InputError(
                    f"{path} at {revision}",
                    found="a damaged file, or one of an older layout",
                    expected="today's",
                    do="restore it, or name a later revision",
                ) from None

        def read_yaml(path: str) -> dict[str, Any]:
            return read(path, lambda content: parse_mapping(content.decode(), f"{path} at {revision}")) or {}

        params = read_yaml("params.yaml")
        stages = (read_yaml("dvc.lock").get("stages") or {}).values()
        deps = {dep["path"]: dep.get("md5") for stage in stages for dep in stage.get("deps", ())}
        data = {split: deps.get(f"data/splits/{split}.npz") for split in SPLITS}
        rows = read("metrics/data.json", TypeAdapter(dict[str, int]).validate_json) or {}
        parse_metrics = TypeAdapter(dict[str, dict[str, FiniteFloat]]).validate_json
        metrics: dict[Part, dict[str, float]] = {}
        predictions: dict[Part, Predictions] = {}
        for model in params.get("train") or {}:
            figures = read(f"metrics/{model}.json", parse_metrics) or {}
            scores = read(f"predictions/{model}/scores.json", parse_scores) or {}
            for split in (split for split in SPLITS if split in figures):
                metrics[model, split] = figures[split]
                # In the workspace, predictions may be left from another run than the metrics.
                if split in scores and figures[split].items() <= scores[split].metrics.items():
                    metrics[model, split] = scores[split].metrics
                    found = read(f"predictions/{model}/{split}.csv", Predictions.parse)
                    predictions |= {(model, split): found} if found else {}
    if not metrics:
        raise InputError(
            revision, found="no metrics", expected="metrics/<model>.json", do="name a later revision"
        )
    return Results(revision, flat(params), data, rows, metrics, predictions)
