"""Read the experiments that git holds, for ``digits experiments`` and the page.

An experiment is a commit whose message begins ``experiment: ``, or one that ``dvc exp run`` made.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import FiniteFloat, TypeAdapter, ValidationError

from digits.cli.flattening import flat, recorded_params
from digits.cli.git import git, git_files
from digits.core.errors import InputError
from digits.core.yaml_files import parse_mapping, read_mapping

PREFIX = "experiment: "
#: DVC's refs of experiments: refs/exps/<two digits of the start commit>/<its other digits>/<name>.
DVC_EXPERIMENTS = "refs/exps/[0-9a-f][0-9a-f]/*/*"
#: The metrics shown of a model. The first two decide which experiment is best; the third is only shown.
SHOWN = {
    "validation_accuracy": ("validation", "accuracy"),
    "validation_log_loss": ("validation", "log_loss"),
    "test_accuracy": ("test", "accuracy"),
}
METRICS_FILE = TypeAdapter(dict[str, dict[str, FiniteFloat]])


class Experiment(NamedTuple):
    """The parameters and metrics of one commit, or of the workspace."""

    commit: str  # its full hash, or HEAD; empty for the workspace
    name: str  # the first line of the message without the prefix, DVC's name, or workspace
    params: dict[str, Any]  # of params.yaml, by dotted key; empty if it can't be read
    models: dict[str, dict[str, float]]  # the SHOWN metrics of each; no model lacks one
    before: "Experiment | None" = None  # the one before; DVC's: the start commit; the workspace's: HEAD

    @property
    def tried(self) -> dict[str, Any]:
        """The parameters that results depend on, without those that are null, false, 0 or empty."""
        return {
            key: value
            for key, value in self.params.items()
            if value and key.startswith(("data.", "train.")) and not key.endswith(".snapshots")
        }

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """The tried parameters that differ from the experiment before, by dotted key, with both values."""
        before = self.before or self
        return {
            key: (before.params.get(key), self.params.get(key))
            for key in {**before.params, **self.params}
            if before.tried.get(key) != self.tried.get(key)
        }

    @property
    def identity(self) -> str:
        """The name and the parameters; if two have the same, the later is the earlier run again."""
        return f"{self.name} {sorted(self.tried.items())}"


def read_experiments(root: Path) -> tuple[list[Experiment], int]:
    """Return the experiments that have metrics and were not run again later, and how many others there are.

    The commits that led to HEAD come first, the oldest first. DVC's experiments and the workspace follow, if
    their results differ from those of all before.
    """
    log = git(root, "log", "--reverse", "--topo-order", "--encoding=UTF-8", "--format=%H %P\t%s")
    lines = [line.partition("\t") for line in log.decode(errors="replace").split("\n") if line]
    form = "--format=%(objectname) %(refname)"
    refs = git(root, "for-each-ref", "--sort=creatordate", form, DVC_EXPERIMENTS).decode().splitlines()
    others = []
    with git_files(root) as read:

        def in_git(commit: str, name: str) -> Experiment:
            return _read(commit, name, lambda path: read(f"{commit}:./{path}"))

        commits = [
            in_git(hashes.split()[0], text[len(PREFIX) :])
            for hashes, _, text in lines
            if text.startswith(PREFIX)
        ]
        for commit, _, ref in (line.partition(" ") for line in refs):
            _, _, first, rest, name = ref.split("/", 4)
            start = in_git(first + rest, first + rest[:5])
            others.append(in_git(commit, name)._replace(before=start))
        head = in_git("HEAD", "HEAD")
    # Of runs with the same name and parameters, as with other code or on another machine, the last counts.
    last = {one.identity: one for one in commits if one.models}
    kept = {one.commit: one for one in commits if last.get(one.identity) is one}
    newest: dict[str, Experiment | None] = {}  # of each commit: the last kept experiment that led to it
    for commit, *parents in (hashes.split() for hashes, _, _ in lines):
        before = newest.get(parents[0]) if parents else None
        if commit in kept:
            kept[commit] = kept[commit]._replace(before=before)
        newest[commit] = kept.get(commit, before)
    found = [*kept.values()]
    left_out = len(commits) - len(found) + sum(not one.models for one in others)
    workspace = _read("", "workspace", lambda path: (root / path).read_bytes())._replace(before=head)
    with suppress(InputError):  # no dvc.lock
        recorded = recorded_params(read_mapping(root / "dvc.lock"))
        if head.params and all(workspace.params.get(key, value) == value for key, value in recorded.items()):
            others.append(workspace)
    for one in others:
        known = [(other.params, other.models) for other in (one.before, *found) if other]
        if one.models and (one.params, one.models) not in known:
            found.append(one)
    return found, left_out


def _read(commit: str, name: str, read: Callable[[str], bytes]) -> Experiment:
    """Return the experiment whose files ``read`` gives by their paths."""
    params, models = {}, {}
    with suppress(InputError, OSError):
        params = flat(parse_mapping(read("params.yaml"), "params.yaml"))
    for model in dict.fromkeys(key.split(".")[1] for key in params if key.startswith("train.")):
        with suppress(KeyError, OSError, ValidationError):
            metrics = METRICS_FILE.validate_json(read(f"metrics/{model}.json"))
            models[model] = {name: metrics[split][key] for name, (split, key) in SHOWN.items()}
    return Experiment(commit, name, params, models)
