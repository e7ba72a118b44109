"""Warnings if parameters, models and metrics come from different runs, in a tiny DVC repository."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from digits.cli.state import outdated, outdated_model
from tests.finished import commit, dvc, git

DVC_YAML = """
stages:
  train:
    matrix: {model: [m]}
    cmd: sh wait.sh && mkdir -p models/m && cat params.yaml > models/m/model.tflite
    params: [train.m]
    outs: [models/m]
  evaluate:
    matrix: {model: [m]}
    cmd: cat models/m/model.tflite > metrics.json
    deps: [models/m/model.tflite]
    metrics:
      - metrics.json: {cache: false}
"""
PARAMS = "train:\n  m: {rate: 1}\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two commits of a finished run each; the second's is in the workspace."""
    folder = tmp_path_factory.mktemp("state")
    git(folder, "init", "--quiet")
    dvc(folder, "init")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "wait.sh").write_text("")
    for rate in ("0.00001", "1"):
        (folder / "params.yaml").write_text(PARAMS.replace("1", rate))
        dvc(folder, "repro")
        commit(folder, rate)
    return folder


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(repository, tmp_path / "copy", symlinks=True))


def test_results_of_one_run_give_no_warning(repository: Path, tmp_path: Path) -> None:
    assert (outdated(repository), outdated_model("m", repository)) == ("", "")
    git(tmp_path, "clone", "--quiet", str(repository), str(tmp_path / "clone"))
    assert outdated(tmp_path / "clone") == ""  # missing files are no sign of outdated results
    assert outdated(tmp_path) == ""


def test_results_of_another_run_give_a_warning(copy: Path) -> None:
    (copy / "params.yaml").write_text(PARAMS.replace("1", "2"))
    assert outdated(copy).startswith("these results were made before params.yaml (train.m) changed; run")
    assert "trained with other parameters" in outdated_model("m", copy)
    git(copy, "restore", ".")
    git(copy, "checkout", "--quiet", "HEAD~1")
    assert outdated(copy).startswith("these results were made before models/m changed")
    assert "not the one that was evaluated" in outdated_model("m", copy)
    dvc(copy, "checkout")
    assert (outdated(copy), outdated_model("m", copy)) == ("", "")


def test_a_run_at_work_gives_a_warning(copy: Path) -> None:
    (copy / "wait.sh").write_text("touch begun; while ! [ -e go ]; do sleep 0.1; done")
    (copy / "params.yaml").write_text(PARAMS.replace("1", "3"))
    command = [sys.executable, "-m", "dvc", "repro", "--quiet"]
    with subprocess.Popen(command, cwd=copy, env=os.environ) as process:
        deadline = time.monotonic() + 60
        while not (copy / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        said = outdated(copy)
        (copy / "go").touch()
    assert process.returncode == 0
    assert said.startswith("DVC is running")
    assert outdated(copy) == ""
