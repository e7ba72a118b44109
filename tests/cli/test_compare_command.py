"""``digits compare`` in a DVC repository of the project's shape, whose trainings are made up."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from digits.cli.compare import main
from digits.core.errors import InputError
from tests.conftest import REPOSITORY
from tests.finished import commit, git

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
    outs: [predictions/m]
    metrics:
      - metrics/m.json: {cache: false}
      - metrics/data.json: {cache: false}
"""
SPLIT = """
import pathlib, yaml
pathlib.Path("data/splits").mkdir(parents=True, exist_ok=True)
pathlib.Path("data/splits/test.npz").write_text(str(yaml.safe_load(open("params.yaml"))["images"]))
"""
# The last answers are wrong, as many as params.yaml says.
EVALUATE = """
import json, pathlib, numpy, yaml
from digits.evaluate.metrics import Answers
from digits.evaluate.scores import SPLITS, Scores, save_metrics, save_scores
right = numpy.arange(1000) < 1000 - yaml.safe_load(open("params.yaml"))["wrong"]
probabilities = numpy.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
answers = Answers(numpy.zeros(1000, numpy.uint8), probabilities)
scores = {split: Scores.of(answers, ("a", "b")) for split in SPLITS}
folder = pathlib.Path("predictions/m")
folder.mkdir(parents=True, exist_ok=True)
for split in SPLITS:
    answers.predictions(("a", "b")).save(folder / f"{split}.csv")
save_scores(scores, folder / "scores.json")
save_metrics(scores, pathlib.Path("metrics/m.json"))
pathlib.Path("metrics/data.json").write_text(json.dumps(dict.fromkeys(SPLITS, 1000)))
"""
#: Tags, and how many answers are wrong there.
REVISIONS = {"base": 50, "same": 50, "noise": 52, "bad": 90}


def run(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=cwd,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(REPOSITORY), "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def dvc(*words: str, cwd: Path) -> str:
    process = run("dvc", *words, cwd=cwd)
    assert process.returncode == 0, process.stderr
    return process.stdout


def verdicts(
    before: str, after: str, root: Path, capsys: pytest.CaptureFixture[str], split: str = "test"
) -> dict[str, str]:
    capsys.readouterr()
    main(before, after, between=None, style="json", conditions=[], root=root)
    changes = json.loads(capsys.readouterr().out)["metrics"]
    return {change["metric"]: change["verdict"] for change in changes if change["split"] == split}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tag for each of :data:`REVISIONS`, and one with other test images."""
    folder = tmp_path_factory.mktemp("compare") / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    dvc("init", "--quiet", cwd=folder)
    commit(folder, "empty")
    git(folder, "tag", "empty")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "split.py").write_text(SPLIT)
    (folder / "evaluate.py").write_text(EVALUATE)
    for tag, wrong in (REVISIONS | {"other": 50}).items():
        images = "others" if tag == "other" else "images"
        (folder / "params.yaml").write_text(f"wrong: {wrong}\nimages: {images}\ntrain: {{m: {{}}}}\n")
        dvc("repro", "--quiet", cwd=folder)
        commit(folder, tag)
        git(folder, "tag", tag)
    return folder


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    """The repository, to be changed."""
    return Path(shutil.copytree(repository, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("after", "status", "verdict"),
    [("same", 0, "no change"), ("noise", 0, "within noise"), ("bad", 1, "worse")],
)
def test_the_gate(
    after: str, status: int, verdict: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = run("digits", "compare", "base", after, "--fail-if", "worse", cwd=repository)
    assert process.returncode == status, process.stderr
    assert ("failed: worse: m/test/accuracy went from 0.95 to 0.91" in process.stderr) == bool(status)
    assert ("No change: all 12 figures are the same." in process.stdout) == (after == "same")
    assert ("McNemar p = " in process.stdout) == (after != "same")
    untested = "no change" if after == "same" else "not tested"
    for split in ("validation", "test"):
        assert verdicts("base", after, repository, capsys, split) == {
            "accuracy": verdict,
            "log_loss": verdict,
            "macro_f1": untested,
            "log_loss_of_predicted_classes": verdict,
            "brier_score": untested,
            "expected_calibration_error": untested,
        }


def test_the_numbers_are_those_of_dvc(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = json.loads(dvc("metrics", "diff", "base", "bad", "--json", cwd=repository))["metrics/m.json"]
    main("base", "bad", between=None, style="json", conditions=[], root=repository)
    ours = json.loads(capsys.readouterr().out)
    found = {f"{change['split']}.{change['metric']}": change for change in ours["metrics"]}
    assert len(theirs) == 6
    for name, their in theirs.items():
        assert (found[name]["before"], found[name]["after"]) == (their["old"], their["new"])
        assert found[name]["change"] == pytest.approx(their["diff"])
    assert ours["params"] == {"wrong": {"before": 50, "after": 90}}


def test_a_clone_without_dvcs_cache_compares_metrics(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(tmp_path, "clone", "--quiet", str(repository), str(tmp_path / "clone"))
    assert main("base", "bad", between=None, style="table", conditions=[], root=tmp_path / "clone") == 0
    printed = capsys.readouterr().out
    assert "Fisher p = " in printed
    assert "no predictions at hand" in printed
    assert "brier_score" not in printed


def test_other_test_images_are_flagged_and_not_tested(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(verdicts("bad", "other", repository, capsys).values()) == {"other data"}


def test_the_workspace_an_experiment_and_predictions_of_another_run(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(copy, "checkout", "--quiet", "base")
    dvc("exp", "run", "--quiet", "--name", "tried", "-S", "wrong=90", cwd=copy)
    assert verdicts("HEAD", "workspace", copy, capsys)["accuracy"] == "worse"
    assert verdicts("base", "tried", copy, capsys)["accuracy"] == "worse"
    # git brings the metrics of the commit back, and leaves DVC's files as the last run wrote them.
    git(copy, "restore", ".")
    assert main("workspace", "tried", between=None, style="table", conditions=["worse"], root=copy) == 1
    assert "the predictions of workspace are not those of its metrics" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics/m.json", "{}", "workspace: found no metrics"),
        ("metrics/m.json", '{"test": {"accuracy": "0.9"}}', "metrics/m.json at workspace: found test: "),
        ("metrics/m.json", '{"test": [1]}', "metrics/m.json at workspace: found test: "),
        ("metrics/m.json", "x", "metrics/m.json at workspace: found "),
        ("metrics/data.json", "[1]", "metrics/data.json at workspace: found no mapping"),
        ("params.yaml", "- 1\n", "params.yaml at workspace: found "),
        ("dvc.lock", "stages: [", "dvc.lock at workspace, line 1: found "),
    ],
)
def test_a_damaged_file_is_named(file: str, content: str, message: str, copy: Path) -> None:
    (copy / file).unlink()
    (copy / file).write_text(content)
    with pytest.raises(InputError) as caught:
        main("HEAD", "workspace", between=None, style="table", conditions=[], root=copy)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("test.csv", "actual,predicted,probability_of_actual,probability_of_predicted\na\n"),
        ("test.csv", "actual,predicted,probability_of_actual,probability_of_predicted\na,a,nan,1\n"),
        ("scores.json", "{}"),
    ],
)
def test_damaged_predictions_hide_no_regression(
    file: str, content: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "predictions/m" / file).unlink()
    (copy / "predictions/m" / file).write_text(content)

    def gate() -> int:
        return main("HEAD", "workspace", between=None, style="table", conditions=["worse"], root=copy)

    assert gate() == 0
    metrics = json.loads((copy / "metrics/m.json").read_text())
    metrics["test"] = {"accuracy": 0.5, "log_loss": 1}  # and macro F1 is gone
    (copy / "metrics/m.json").write_text(json.dumps(metrics))
    assert gate() == 1
    assert "failed: worse: m/test/macro_f1 is gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "piece"),
    [
        (("nowhere", "base"), "error: nowhere: found no such revision"),
        (("HEAD^{tree}", "base"), "error: HEAD^{tree}: found no such revision"),
        (("empty", "base"), "error: empty: found no metrics"),
        (("base", "bad", "--fail-if", "accuracy"), "error: --fail-if: found 'accuracy'"),
        (("base", "bad", "--fail-if", "f1 < 1"), "expected one of test/accuracy, test/brier_score"),
        (("base", "bad", "--between", "m", "cnn"), "error: bad, --between: found no model 'cnn'"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], piece: str, repository: Path) -> None:
    process = run("digits", "compare", *words, cwd=repository)
    assert process.returncode == 1
    assert piece in process.stderr
    assert process.stderr.count("\n") == 1
