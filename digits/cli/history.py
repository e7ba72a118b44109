"""Read the experiments that git holds, for ``digits experiments`` and the page.

An experiment is a commit whose message begins ``experiment: ``, or one that ``dvc exp run`` made.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import FiniteFloat, TypeAdapter, ValidationError

from digits.cli.flattening import flat
from digits.cli.git import git
from digits.core.errors import InputError
from digits.core.yaml_files import parse_mapping

PREFIX = "experiment: "
#: Where DVC keeps an experiment: below the hash of the commit that it started from.
DVC_EXPERIMENT = re.compile(r"(\w+) refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(\S+)")
METRICS_FILE = TypeAdapter(dict[str, dict[str, FiniteFloat]])


@dataclass(frozen=True)
class Experiment:
    """The parameters and metrics of one commit, or of the workspace.

    Attributes:
        commit: its full hash, or HEAD; empty for the workspace.
        name: the first line of the commit's message without the prefix, DVC's name, or ``workspace``.
        params: the content of params.yaml, by dotted key; empty if it can't be read.
        metrics: by model, split and name; without a model whose file is missing or has another layout.
        before: what it is compared with: for a DVC experiment and the workspace the commit that it started
            from, for other experiments the one before. None for the first.
    """

    commit: str
    name: str
    params: dict[str, Any]
    metrics: dict[str, dict[str, dict[str, float]]]
    before: "Experiment | None" = None

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """The parameters of results that differ from the experiment before, by dotted key, with both values.

        What is off counts as what isn't there. Snapshots change no result.
        """
        before = self.before or self
        return {
            key: (before.params.get(key), self.params.get(key))
            for key in {**before.params, **self.params}
            if before.tried.get(key) != self.tried.get(key)
        }

    @property
    def tried(self) -> dict[str, Any]:
        """The parameters that results depend on, but for those that are off."""
        return {
            key: value
            for key, value in self.params.items()
            if value and key.startswith(("data.", "train.")) and not key.endswith(".snapshots")
        }

    @property
    def identity(self) -> tuple[str, str]:
        """The name and what was tried, by which an experiment that is run again is known."""
        return self.name, str(sorted((key, str(value)) for key, value in self.tried.items()))

    def same_as(self, other: "Experiment") -> bool:
        """Return whether both have the same parameters and metrics."""
        return (self.params, self.metrics) == (other.params, other.metrics)


def read_experiments(root: Path) -> tuple[list[Experiment], int]:
    """Return the experiments that have metrics and were not run again later, and how many others there are.

    First the commits that led to HEAD, the oldest first; then DVC's experiments and the workspace, where they
    hold results that nothing before has.
    """
    words = ("--reverse", "--topo-order", "--encoding=UTF-8", "--format=%H %s")
    log = git(root, "log", "--basic-regexp", f"--grep=^{PREFIX}", *words).decode(errors="replace")
    lines = [line.partition(" ") for line in log.split("\n")]
    refs = git(root, "for-each-ref", "--sort=creatordate", "--format=%(objectname) %(refname)", "refs/exps")
    from_dvc = DVC_EXPERIMENT.findall(refs.decode(errors="replace"))

    def in_git(named: list[tuple[str, str]]) -> list[Experiment]:
        return _read(named, lambda names: _git_files(root, names))

    # git's --grep looks at every line of a message.
    ours = [(commit, subject) for commit, _, subject in lines if subject.startswith(PREFIX)]
    commits = in_git([(commit, subject.removeprefix(PREFIX)) for commit, subject in ours])
    # Run again under its name, with other code or on another machine: the last run counts.
    last = {one.identity: one for one in commits if one.metrics}
    found = [one for one in commits if last.get(one.identity) is one]
    left_out = len(commits) - len(found)
    found = [replace(one, before=before) for before, one in zip([None, *found], found, strict=False)]
    ends = in_git([(commit, name) for commit, *_, name in from_dvc])
    starts = in_git([(folder + rest, (folder + rest)[:7]) for _, folder, rest, _ in from_dvc])
    (head,) = in_git([("HEAD", "HEAD")])
    others = list(zip(ends, starts, strict=True))
    (workspace,) = _read([("", "workspace")], lambda names: [_file(root / name[3:]) for name in names])
    if head.params and not workspace.same_as(head) and _was_run(workspace, root):
        others.append((workspace, head))
    for one, start in others:
        if one.metrics and not any(one.same_as(other) for other in found):
            found.append(replace(one, before=start))
    return found, left_out + sum(not one.metrics for one in ends)


def _read(commits: list[tuple[str, str]], contents: Callable[[list[str]], list[bytes]]) -> list[Experiment]:
    """Return the experiments of ``commits``, hashes with names; ``contents`` reads ``<commit>:./<path>``."""
    params = [_params(text) for text in contents([f"{commit}:./params.yaml" for commit, _ in commits])]
    models = [
        (number, model)
        for number, keys in enumerate(params)
        for model in dict.fromkeys(key.split(".")[1] for key in keys if key.startswith("train."))
        if model.isprintable()  # a line end would be two questions to git
    ]
    texts = contents([f"{commits[number][0]}:./metrics/{model}.json" for number, model in models])
    metrics: list[dict[str, dict[str, dict[str, float]]]] = [{} for _ in commits]
    for (number, model), text in zip(models, texts, strict=True):
        try:
            metrics[number][model] = METRICS_FILE.validate_json(text)
        except ValidationError:
            continue
    return [Experiment(*commits[i], params[i], metrics[i]) for i in range(len(commits))]


def _git_files(root: Path, names: list[str]) -> list[bytes]:
    """Return the content of each ``<commit>:./<path>``, empty where there is none; one process reads all."""
    reply = io.BytesIO(git(root, "cat-file", "--batch", text="".join(f"{name}\n" for name in names)))
    found = []
    for _ in names:
        size = reply.readline().rpartition(b" ")[2].strip()  # "<hash> blob <size>", or "<name> missing"
        found.append(reply.read(int(size) + 1) if size.isdigit() else b"")
    return found


def _file(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _params(text: bytes) -> dict[str, Any]:
    try:
        return flat(parse_mapping(text.decode(errors="replace"), "params.yaml"))
    except InputError:
        return {}


def _was_run(workspace: Experiment, root: Path) -> bool:
    """Return whether dvc.lock records the parameters of params.yaml, so that the metrics are theirs."""
    try:
        stages = parse_mapping(_file(root / "dvc.lock").decode(errors="replace"), "dvc.lock")["stages"]
        recorded = [flat(stage.get("params", {}).get("params.yaml", {})) for stage in stages.values()]
    except (AttributeError, InputError, KeyError):
        return False
    return all(workspace.params.get(key, value) == value for run in recorded for key, value in run.items())
