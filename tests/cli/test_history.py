"""The experiment history, as the README shows it, in a clone without any data."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from digits.cli.history import read_experiments
from tests.conftest import REPOSITORY

LINEAR = ("linear baseline", "linear tuned")
DNN = ("dnn of the course", "dnn with dropout", "dnn with l2", "dnn wider")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed."""
    folder = tmp_path_factory.mktemp("clone") / "digits"
    output("git", "clone", "--quiet", "--no-local", str(REPOSITORY), str(folder), cwd=REPOSITORY)
    return folder


def output(*words: str, cwd: Path) -> str:
    process = subprocess.run(words, cwd=cwd, env=os.environ, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    return process.stdout


def dvc(*words: str, cwd: Path) -> Any:
    return json.loads(output(sys.executable, "-m", "dvc", *words, "--json", cwd=cwd))


def test_compare_agrees_with_metrics_diff(fresh: Path) -> None:
    revisions = [f":/experiment: {name}" for name in LINEAR]
    words = (sys.executable, "-m", "digits", "compare", *revisions, "--format", "json")
    compared = json.loads(output(*words, cwd=fresh))
    theirs = dvc("metrics", "diff", *revisions, cwd=fresh)
    changed = [figure for figure in compared["metrics"] if figure["verdict"] != "no change"]
    assert len(changed) == 4  # of the linear classifier, on validation and test
    for figure in changed:
        change = theirs[f"metrics/{figure['model']}.json"][f"{figure['split']}.{figure['metric']}"]
        assert (figure["before"], figure["after"]) == (change["old"], change["new"])
    assert {figure["verdict"] for figure in changed if figure["metric"] == "accuracy"} == {"better"}
    assert set(compared["params"]) == set(dvc("params", "diff", *revisions, cwd=fresh)["params.yaml"])


def test_the_accuracy_rises_from_experiment_to_experiment(fresh: Path) -> None:
    found = {experiment.name: experiment for experiment in read_experiments(fresh)[0]}  # the newest wins
    baseline, tuned = (found[name].models["linear"]["test_accuracy"] for name in LINEAR)
    course, *_, wider = (found[name].models["dnn"]["test_accuracy"] for name in DNN)
    assert baseline == pytest.approx(0.84, abs=0.03)
    assert baseline < tuned < course < wider


def test_the_documents_show_what_is_there(fresh: Path) -> None:
    document = (REPOSITORY / "docs/experiments.md").read_text(encoding="utf-8")
    printed = output(sys.executable, "-m", "digits", "experiments", cwd=fresh)
    rows = re.findall(r"^[0-9a-f]{7} .*", document, re.MULTILINE)
    assert len(rows) == 3
    assert set(rows) <= set(printed.splitlines())
    command = document.partition("```sh\ndvc exp show --hide-workspace")[2].partition("\n```")[0]
    words = ("exp", "show", "--md", "--hide-workspace", *shlex.split(command.replace("\\\n", "")))
    lines = output(sys.executable, "-m", "dvc", *words, cwd=fresh).strip().splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= 160


def test_each_experiment_changes_params_lock_and_metrics_together(fresh: Path) -> None:
    log = output("git", "log", "--format=%H %s", "--grep=^experiment: ", cwd=fresh).splitlines()
    assert len(log) >= 7
    for line in log:
        commit, subject = line.split(" ", 1)
        changed = output("git", "show", "--format=", "--name-only", commit, cwd=fresh).split()
        assert "dvc.lock" in changed, subject
        assert any(path.startswith("metrics/") for path in changed), subject
        assert {path.partition("/")[0] for path in changed} <= {"params.yaml", "dvc.lock", "metrics"}
