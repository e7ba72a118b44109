"""Two revisions' results, read from git and from DVC's cache, and compared."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from commands.flattening import flat
from commands.output import show
from commands.revisions import commit_of
from digits.comparison import HIGHER_IS_BETTER, Limit, Part, Predictions, Results, compare
from digits.errors import InputError, excerpt
from digits.typed_yaml import parse_mapping

STYLES = {"table": "simple", "markdown": "github"}


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
        parts = [
            (model, split)
            for model in files.folders("metrics")
            for split in ("validation", "test")
            if files.there(f"metrics/{model}/{split}.json")
        ]
        metrics = {part: files.json(f"metrics/{part[0]}/{part[1]}.json") for part in parts}
        predictions = {part: found for part in parts if (found := _predictions(files, part))}
    splits = {
        Path(out["path"]).stem: out.get("md5")
        for out in stages.get("split", {}).get("outs", [])
        if out["path"].startswith("data/splits/")
    }
    return Results(revision, flat(params), splits, metrics, predictions)


class _Files:
    """The files of one revision: git's as git has them, DVC's from the workspace, the cache or a remote."""

    def __init__(self, repo: Repo, revision: str) -> None:
        self.revision = revision
        commit = commit_of(repo, revision)
        self.fs = (Repo.open(repo.root_dir, rev=commit) if commit else repo).dvcfs

    def content(self, path: str) -> bytes | None:
        try:
            return bytes(self.fs.read_bytes(path))
        except (FileNotFoundError, IsADirectoryError, DvcException):
            return None

    def there(self, path: str) -> bool:
        return bool(self.fs.exists(path))

    def folders(self, path: str) -> list[str]:
        if not self.fs.isdir(path):
            return []
        entries = self.fs.ls(path, detail=True)
        return sorted(Path(entry["name"]).name for entry in entries if entry["type"] == "directory")

    def json(self, path: str) -> dict[str, float]:
        try:
            document = json.loads(self.content(path) or b"")
        except ValueError as error:
            raise self._damaged(path, str(error)) from None
        if not isinstance(document, dict):
            raise self._damaged(path, "no mapping")
        for key in HIGHER_IS_BETTER.keys() & document.keys():
            if not isinstance(document[key], int | float):
                raise self._damaged(path, f"{key}: {excerpt(document[key])}, no number")
        return {key: value for key, value in document.items() if isinstance(value, int | float)}

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


def _predictions(files: _Files, part: Part) -> Predictions | None:
    content = files.content(f"predictions/{part[0]}/{part[1]}.csv")
    if content is None:
        return None
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
        return Predictions.of(
            [row["actual"] for row in rows],
            [row["predicted"] for row in rows],
            [float(row["probability_of_actual"]) for row in rows],
        )
    except (KeyError, TypeError, ValueError, csv.Error):  # damaged, or of an age when they had other columns
        return None
