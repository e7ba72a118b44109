"""The experiments that git holds: every commit whose message begins ``experiment: ``."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digits.cli.flattening import flat
from digits.core.errors import InputError
from digits.core.yaml_files import parse_mapping

PREFIX = "experiment: "


@dataclass(frozen=True)
class Experiment:
    """The parameters and metrics of one commit.

    Attributes:
        commit: its full hash.
        title: the first line of its message, without the prefix.
        params: the content of params.yaml, by dotted key; empty if it can't be read.
        metrics: by model, split and name; empty if they have another layout.
    """

    commit: str
    title: str
    params: dict[str, Any]
    metrics: dict[tuple[str, str, str], float]


def experiments(root: Path) -> list[Experiment]:
    """The experiments that led to HEAD, the newest first; none where there is no git or no commit."""
    log = git(root, "log", "--basic-regexp", f"--grep=^{PREFIX}", "--encoding=UTF-8", "--format=%H %s")
    found = []
    for line in log.decode(errors="replace").split("\n"):
        commit, _, subject = line.partition(" ")
        if subject.startswith(PREFIX):  # git's --grep looks at every line of a message
            params = _params(git(root, "show", f"{commit}:./params.yaml"))
            models = {key.split(".")[1]: None for key in params if key.startswith("train.")}
            metrics = {
                (model, *key): value
                for model in models
                for key, value in _metrics(git(root, "show", f"{commit}:./metrics/{model}.json")).items()
            }
            found.append(Experiment(commit, subject.removeprefix(PREFIX), params, metrics))
    return found


def changed_keys(found: list[Experiment]) -> list[str]:
    """The parameters that differ between experiments, in the order of params.yaml."""
    keys = dict.fromkeys(key for experiment in found for key in experiment.params)
    return [key for key in keys if len({str(experiment.params.get(key)) for experiment in found}) > 1]


def git(root: Path, *words: str) -> bytes:
    """The output of a git command; empty if it fails, or there is no git."""
    try:
        return subprocess.run(["git", *words], cwd=root, capture_output=True).stdout
    except FileNotFoundError:
        return b""


def _params(text: bytes) -> dict[str, Any]:
    try:
        return flat(parse_mapping(text.decode(errors="replace"), "params.yaml"))
    except InputError:
        return {}


def _metrics(text: bytes) -> dict[tuple[str, str], float]:
    """The metrics in a file's content, by split and name."""
    try:
        splits = json.loads(text).items()
        return {(split, name): value for split, metrics in splits for name, value in metrics.items()}
    except (AttributeError, ValueError):
        return {}
