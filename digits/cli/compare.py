"""Read two revisions' results from git and DVC's cache, and compare them: digits compare"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.index import DataIndexDirError

from digits.cli.comparison import Limit, Results, compare
from digits.cli.flattening import flat
from digits.cli.output import show
from digits.cli.revisions import commit_of
from digits.core.errors import InputError, excerpt
from digits.core.predictions import Predictions
from digits.core.yaml_files import parse_mapping
from digits.evaluate.scores import SPLITS, parse_scores

STYLES = {"table": "simple", "markdown": "github"}

T = TypeVar("T")


def main(
    before: str,
    after: str,
    *,
    between: tuple[str, str] | None,
    style: str,
    conditions: list[str],
    root: Path = Path(),
) -> int:
    """Print the comparison; 1 if a condition holds, else 0."""
    both = [read_results(revision, root) for revision in (before, after)]
    if between:
        label = " → ".join(between)
        both = [results.of_model(model, label) for results, model in zip(both, between, strict=True)]
    comparison = compare(*both)
    failures = [(text, at) for text in conditions for at in Limit(text).broken(comparison)]
    show(comparison.as_json() if style == "json" else comparison.as_table(STYLES[style]))
    for text, at in failures:
        value = "is gone" if at.after is None else f"went from {at.before} to {at.after}"
        print(f"failed: {text}: {at.model}/{at.split}/{at.metric} {value}", file=sys.stderr)
    return 1 if failures else 0


def read_results(revision: str, root: Path = Path()) -> Results:
    """What a git revision, a DVC experiment or the workspace holds.

    Raises:
        InputError: there is no such revision, or a file of it is damaged.
    """
    with Repo(str(root)) as repo:
        files = _Files(repo, revision)
        params = files.yaml("params.yaml")
        stages = files.yaml("dvc.lock").get("stages", {})
        metrics = {model: files.figures(f"metrics/{model}.json") for model in params.get("train") or {}}
        scores = {model: files.parsed(f"predictions/{model}/scores.json", parse_scores) for model in metrics}
        parts = [(model, split) for model in metrics for split in SPLITS if split in metrics[model]]
        predictions = {
            (model, split): answers
            for model, split in parts
            if (answers := files.parsed(f"predictions/{model}/{split}.csv", Predictions.parse))
        }
        rows = files.json("metrics/data.json")
    deps = [dep for stage in stages.values() for dep in stage.get("deps", ())]
    splits = {
        Path(dep["path"]).stem: dep.get("md5") for dep in deps if dep["path"].startswith("data/splits/")
    }
    own = {part: metrics[part[0]][part[1]] for part in parts}
    others = {
        (model, split): {
            name: value for name, value in found.metrics.items() if name not in own[model, split]
        }
        for model, split in parts
        # Predictions may be left from another run.
        if (found := (scores[model] or {}).get(split)) and own[model, split].items() <= found.metrics.items()
    }
    return Results(revision, flat(params), splits, rows, own, others, predictions)


class _Files:
    """The files of one revision: git's as git has them, DVC's from the workspace, the cache or a remote."""

    def __init__(self, repo: Repo, revision: str) -> None:
        self.revision = revision
        commit = commit_of(repo, revision)
        self.fs = (Repo.open(repo.root_dir, rev=commit) if commit else repo).dvcfs

    def content(self, path: str) -> bytes | None:
        try:
            return bytes(self.fs.read_bytes(path))
        except (FileNotFoundError, IsADirectoryError, DataIndexDirError, DvcException):
            return None

    def parsed(self, path: str, parse: Callable[[bytes], T]) -> T | None:
        """What a file holds; None where it isn't at hand or is damaged."""
        content = self.content(path)
        try:
            return None if content is None else parse(content)
        except ValueError:
            return None

    def json(self, path: str) -> dict[str, Any]:
        """A mapping in a file that git has; an empty one if there is no such file."""
        content = self.content(path)
        try:
            document = json.loads(content or b"{}")
        except ValueError as error:
            raise self._damaged(path, str(error)) from None
        if not isinstance(document, dict):
            raise self._damaged(path, "no mapping")
        return document

    def figures(self, path: str) -> dict[str, dict[str, float]]:
        """The numbers in a metrics file, by split and name."""
        document = self.json(path)
        for split, found in document.items():
            if not isinstance(found, dict) or not all(
                isinstance(value, int | float) for value in found.values()
            ):
                raise self._damaged(path, f"{split}: {excerpt(found)}, no numbers by name")
        return document

    def yaml(self, path: str) -> dict[str, Any]:
        try:
            text = (self.content(path) or b"").decode()
        except UnicodeDecodeError as error:
            raise self._damaged(path, str(error)) from None
        return parse_mapping(text, f"{path} at {self.revision}") if text.strip() else {}

    def _damaged(self, path: str, found: str) -> InputError:
        return InputError(
            f"{path} at {self.revision}", found=found, expected="a whole file", do="name another revision"
        )
