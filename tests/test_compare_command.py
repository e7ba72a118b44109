"""python -m digits compare in a DVC repository of the project's shape, whose trainings are made up."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

DVC_YAML = """
stages:
  split:
    cmd: python split.py
    params: [images]
    outs: [data/splits/test.npz]
  evaluate:
    cmd: python evaluate.py
    params: [wrong]
    deps: [data/splits/test.npz]
    outs: [predictions/m/test.csv]
    metrics:
      - metrics/m/test.json: {cache: false}
"""
SPLIT = """
import pathlib, yaml
pathlib.Path("data/splits").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/splits/test.npz").write_text(str(yaml.safe_load(open("params.yaml"))["images"]))
"""
# The last answers are wrong, as many as params.yaml says.
EVALUATE = """
import json, math, pathlib, yaml
images, wrong = 1000, yaml.safe_load(open("params.yaml"))["wrong"]
rows = [("a", "a", 0.9)] * (images - wrong) + [("a", "b", 0.1)] * wrong
pathlib.Path("predictions/m").mkdir(parents=True, exist_ok=True)
pathlib.Path("metrics/m").mkdir(parents=True, exist_ok=True)
lines = ["actual,predicted,probability_of_actual", *(",".join(map(str, row)) for row in rows)]
pathlib.Path("predictions/m/test.csv").write_text("\\n".join(lines) + "\\n")
loss = -sum(math.log(row[2]) for row in rows) / images
figures = {"accuracy": 1 - wrong / images, "log_loss": loss, "examples": images}
pathlib.Path("metrics/m/test.json").write_text(json.dumps(figures))
"""
#: Tags, and how many answers are wrong there.
REVISIONS = {"base": 50, "same": 50, "noise": 52, "bad": 90}


def run(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    identity = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        words,
        cwd=cwd,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(REPOSITORY), "DVC_NO_ANALYTICS": "1"} | identity,
        capture_output=True,
        text=True,
        timeout=120,
    )


def done(*words: str, cwd: Path) -> str:
    process = run(*words, cwd=cwd)
    assert process.returncode == 0, process.stderr
    return process.stdout


def dvc(*words: str, cwd: Path) -> str:
    return done(sys.executable, "-m", "dvc", *words, cwd=cwd)


def compare(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return run(sys.executable, "-m", "digits", "compare", *words, cwd=cwd)


def verdicts(before: str, after: str, cwd: Path) -> dict[str, str]:
    document = json.loads(compare(before, after, "--format", "json", cwd=cwd).stdout)
    return {at["metric"]: at["verdict"] for at in document["metrics"]}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tag for each of :data:`REVISIONS`, and one with other test images."""
    folder = tmp_path_factory.mktemp("compare") / "repository"
    folder.mkdir()
    done("git", "init", "--quiet", cwd=folder)
    dvc("init", "--quiet", cwd=folder)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "split.py").write_text(SPLIT)
    (folder / "evaluate.py").write_text(EVALUATE)
    done("git", "commit", "--quiet", "--allow-empty", "-m", "empty", cwd=folder)
    done("git", "tag", "empty", cwd=folder)
    for tag, wrong in (REVISIONS | {"other": 50}).items():
        images = "others" if tag == "other" else "images"
        (folder / "params.yaml").write_text(f"wrong: {wrong}\nimages: {images}\n")
        dvc("repro", "--quiet", cwd=folder)
        done("git", "add", ".", cwd=folder)
        done("git", "commit", "--quiet", "--allow-empty", "-m", tag, cwd=folder)
        done("git", "tag", tag, cwd=folder)
    return folder


@pytest.mark.parametrize(
    ("after", "status", "verdict"),
    [("same", 0, "no change"), ("noise", 0, "within noise"), ("bad", 1, "worse")],
)
def test_the_gate(after: str, status: int, verdict: str, repository: Path) -> None:
    process = compare("base", after, "--fail-if", "worse", cwd=repository)
    assert process.returncode == status, process.stderr
    assert verdicts("base", after, repository) == {"accuracy": verdict, "log_loss": verdict}
    assert ("failed: worse: m/test/accuracy" in process.stderr) == bool(status)
    assert ("No change: all 2 figures are the same." in process.stdout) == (after == "same")
    if after == "bad":
        assert "McNemar p = " in process.stdout


def test_a_threshold(repository: Path) -> None:
    condition = "accuracy change < -0.001"
    assert compare("base", "noise", "--fail-if", condition, cwd=repository).returncode == 1
    assert compare("base", "same", "--fail-if", condition, cwd=repository).returncode == 0


def test_the_numbers_are_those_of_dvc(repository: Path) -> None:
    theirs = json.loads(dvc("metrics", "diff", "base", "bad", "--json", cwd=repository))[
        "metrics/m/test.json"
    ]
    ours = json.loads(compare("base", "bad", "--format", "json", cwd=repository).stdout)
    for at in ours["metrics"]:
        their = theirs[at["metric"]]
        assert (at["before"], at["after"]) == (their["old"], their["new"])
        assert at["change"] == pytest.approx(their["diff"])
    assert ours["params"] == {"wrong": {"before": 50, "after": 90}}


def test_a_clone_without_dvcs_cache_compares_metrics(repository: Path, tmp_path: Path) -> None:
    done("git", "clone", "--quiet", str(repository), str(tmp_path / "clone"), cwd=tmp_path)
    process = compare("base", "bad", cwd=tmp_path / "clone")
    assert process.returncode == 0
    assert "Fisher p = " in process.stdout
    assert "no predictions at hand" in process.stdout


def test_other_test_images_are_flagged_and_not_tested(repository: Path) -> None:
    assert set(verdicts("bad", "other", repository).values()) == {"other data"}
    assert "the test splits hold other images" in compare("bad", "other", cwd=repository).stdout


def test_the_workspace_and_an_experiment(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    done("git", "checkout", "--quiet", "base", cwd=copy)
    dvc("exp", "run", "--quiet", "--name", "tried", "-S", "wrong=90", cwd=copy)
    assert verdicts("HEAD", "workspace", copy)["accuracy"] == "worse"
    assert verdicts("base", "tried", copy)["accuracy"] == "worse"


def test_predictions_of_another_run_hide_no_regression(repository: Path, tmp_path: Path) -> None:
    """git restores the metrics of a commit, and leaves DVC's files as the last run wrote them."""
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    done("git", "checkout", "--quiet", "base", cwd=copy)
    dvc("exp", "run", "--quiet", "--name", "tried", "-S", "wrong=90", cwd=copy)
    done("git", "restore", ".", cwd=copy)
    process = compare("workspace", "tried", "--fail-if", "worse", cwd=copy)
    assert process.returncode == 1
    assert "the predictions of workspace are not those of its metrics" in process.stdout


@pytest.mark.parametrize(
    ("file", "content", "status", "piece"),
    [
        ("metrics/m/test.json", "{}", 1, "failed: worse: m/test/accuracy is gone"),
        ("metrics/m/test.json", '{"accuracy": "0.9"}', 1, "accuracy: '0.9', no number"),
        ("metrics/m/test.json", "x", 1, "error: metrics/m/test.json at workspace"),
        ("params.yaml", "- 1\n", 1, "error: "),
        ("predictions/m/test.csv", "actual,predicted,probability_of_actual\na\n", 0, ""),
        ("predictions/m/test.csv", "actual,predicted,probability_of_actual\na,a,nan\n", 0, ""),
    ],
)
def test_damaged_files_of_the_workspace(
    file: str, content: str, status: int, piece: str, repository: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    (copy / file).unlink()
    (copy / file).write_text(content)
    process = compare("HEAD", "workspace", "--fail-if", "worse", cwd=copy)
    assert process.returncode == status, process.stderr
    assert piece in process.stderr
    assert "Traceback" not in process.stderr
    if status:
        return
    (copy / "metrics/m/test.json").write_text('{"accuracy": 0.5, "log_loss": 1, "examples": 1000}')
    process = compare("HEAD", "workspace", "--fail-if", "worse", cwd=copy)
    assert process.returncode == 1
    assert "Warning" not in process.stderr


@pytest.mark.parametrize(
    ("words", "piece"),
    [
        (("nowhere", "base"), "error: nowhere: found no such revision"),
        (("HEAD^{tree}", "base"), "error: HEAD^{tree}: found no such revision"),
        (("empty", "base"), "error: empty: found no metrics"),
        (("base", "bad", "--fail-if", "accuracy"), "error: --fail-if: found 'accuracy'"),
        (("base", "bad", "--fail-if", "f1 < 1"), "expected one of test/accuracy, test/log_loss"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], piece: str, repository: Path) -> None:
    process = compare(*words, cwd=repository)
    assert process.returncode == 1
    assert piece in process.stderr
    assert process.stderr.count("\n") == 1
