"""digits compare in a DVC repository of the project's shape, whose trainings are made up."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from digits.cli import compare, experiments, verify
from digits.core.errors import InputError
from tests.finished import commit, dvc, git

Capture = pytest.CaptureFixture[str]

DVC_YAML = """
stages:
  evaluate:
    cmd: python evaluate.py
    params: [wrong]
    deps: [data/splits/test.npz]
    outs: [predictions/m]
    metrics:
      - metrics/m.json: {cache: false}
      - metrics/data.json: {cache: false}
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
for split in SPLITS:
    answers.predictions(("a", "b")).save(pathlib.Path(f"predictions/m/{split}.csv"))
save_scores(scores, pathlib.Path("predictions/m/scores.json"))
save_metrics(scores, pathlib.Path("metrics/m.json"))
pathlib.Path("metrics/data.json").write_text(json.dumps(dict.fromkeys(SPLITS, 1000)))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a tag for each number of wrong answers, and one for other test images."""
    folder = tmp_path_factory.mktemp("compare")
    git(folder, "init", "--quiet")
    dvc(folder, "init")
    commit(folder, "empty")
    git(folder, "tag", "empty")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "evaluate.py").write_text(EVALUATE)
    (folder / "data/splits").mkdir(parents=True)
    for tag, wrong, images in (("other", 50, "x"), ("bad", 90, "y"), ("base", 50, "y")):
        (folder / "data/splits/test.npz").write_text(images)
        (folder / "params.yaml").write_text(f"wrong: {wrong}\ntrain: {{m: {{}}}}\n")
        dvc(folder, "repro")
        commit(folder, tag)
        git(folder, "tag", tag)
    return folder


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(repository, tmp_path / "copy"))


def run(before: str, after: str, root: Path, *conditions: str, style: str = "json") -> int:
    return compare.main(before, after, between=None, style=style, conditions=[*conditions], root=root)


def cloned(repository: Path, folder: Path, *options: str) -> Path:
    git(folder, "clone", "--quiet", *options, str(repository), "clone")
    return folder / "clone"


@pytest.mark.parametrize(
    ("after", "status", "tested", "untested"),
    [
        ("base", 0, "no change", "no change"),
        ("bad", 1, "worse", "not tested"),
        ("other", 0, "other data", "other data"),
    ],
)
def test_two_revisions_are_compared(
    after: str, status: int, tested: str, untested: str, repository: Path, capsys: Capture
) -> None:
    assert run("base", after, repository, "worse") == status
    printed = capsys.readouterr()
    assert ("failed: worse: m/test/accuracy went from 0.95 to 0.91" in printed.err) == bool(status)
    changes = json.loads(printed.out)["metrics"]
    assert {change["metric"]: change["verdict"] for change in changes if change["split"] == "test"} == {
        **dict.fromkeys(("accuracy", "log_loss", "log_loss_of_predicted_classes"), tested),
        **dict.fromkeys(("macro_f1", "brier_score", "expected_calibration_error"), untested),
    }


def test_without_dvcs_cache(repository: Path, tmp_path: Path, capsys: Capture) -> None:
    clone = cloned(repository, tmp_path)
    for remote in ([], ["team", "s3://bucket/store"]):  # the second one needs a package
        if remote:
            dvc(clone, "remote", "add", "--default", *remote)
        assert run("base", "bad", clone, style="markdown") == 0
        printed = capsys.readouterr().out
        assert "Fisher p = " in printed
        assert "brier_score" not in printed


def test_the_workspace_and_an_experiment_are_compared(copy: Path, capsys: Capture) -> None:
    dvc(copy, "exp", "run", "--name", "tried", "-S", "wrong=90")
    for after in ("workspace", "tried"):
        assert run("base", after, copy, "worse", style="markdown") == 1
        assert "McNemar" in capsys.readouterr().out
    # git brings the metrics of the commit back; the predictions are still those of the experiment.
    git(copy, "restore", ".")
    assert run("workspace", "tried", copy, style="markdown") == 0
    printed = capsys.readouterr()
    assert "McNemar" not in printed.out
    assert "warning: these results were made before predictions/m changed" in printed.err


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics/m.json", "{}", "workspace: no metrics/<model>.json found"),
        ("metrics/m.json", "{\n<<<<<<< a\n", "metrics/m.json at workspace, line 2: found conflict markers"),
        ("dvc.lock", "a: 1\n<<<<<<< a\n", "dvc.lock at workspace, line 2: found conflict markers of a git"),
        ("predictions/m/scores.json", "{}", "predictions/m/scores.json at workspace: damaged"),
    ],
)
def test_a_damaged_file_is_reported(file: str, content: str, message: str, copy: Path) -> None:
    (copy / file).unlink()
    (copy / file).write_text(content)
    with pytest.raises(InputError) as caught:
        run("HEAD", "workspace", copy)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("revision", "models", "message"),
    [
        ("nowhere", None, "nowhere: no such git commit"),
        ("empty", None, "empty: no metrics/<model>.json found"),
        (
            "base",
            ("m", "cnn"),
            "cnn of base: no metrics/<model>.json found. Name another revision, or one of the models m",
        ),
    ],
)
def test_a_revision_without_results_is_refused(
    revision: str, models: tuple[str, str] | None, message: str, repository: Path
) -> None:
    with pytest.raises(InputError, match=message):
        compare.main("base", revision, between=models, style="json", conditions=[], root=repository)


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        (None, None, ("workspace", "workspace")),
        ("bad", None, ("bad", "bad")),
        ("bad", "base", ("bad", "base")),
    ],
)
def test_two_models_are_of_one_revision_unless_two_are_given(
    before: str | None, after: str | None, names: tuple[str, str], repository: Path, capsys: Capture
) -> None:
    compare.main(before, after, between=("m", "m"), style="json", conditions=[], root=repository)
    found = json.loads(capsys.readouterr().out)
    assert (found["before"], found["after"]) == tuple(f"m of {name}" for name in names)
    assert {change["model"] for change in found["metrics"]} == {"m → m"}


def test_a_project_in_a_folder_of_a_larger_repository(
    repository: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = Path(shutil.copytree(repository, tmp_path / "courses/digits"))
    shutil.rmtree(folder / ".git")
    (tmp_path / "params.yaml").write_text("another project's")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "import")
    assert run("HEAD", "workspace", folder, "worse", style="table") == 0
    # 6 metrics × 2 splits: DVC's cache has all metrics of both.
    assert "No parameter changed.\n\n12 of 12 metrics did not change." in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        lambda root: run("base", "bad", root),
        lambda root: verify.main(tolerance=0, root=root),
        lambda root: experiments.main("table", root=root),
    ],
)
def test_a_repository_of_another_user_is_refused(
    command: Callable[[Path], int], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with pytest.raises(InputError, match=r"git config --global --add safe\.directory .*compare"):
        command(repository)


@pytest.mark.parametrize(
    ("option", "kind", "line"),
    [
        (
            "--filter=blob:none",
            "partial",
            "this partial clone lacks some of its files. Run `git fetch --refetch",
        ),
        ("--depth=1", "shallow", "no such git commit, .*git fetch --unshallow` to get older commits"),
    ],
)
def test_a_clone_that_lacks_an_older_commit(
    option: str, kind: str, line: str, repository: Path, tmp_path: Path, capsys: Capture
) -> None:
    git(repository, "config", "uploadpack.allowFilter", "true")
    clone = cloned(repository, tmp_path, option, "--no-local")
    git(clone, "remote", "set-url", "origin", "ssh://192.0.2.1/gone")  # an address that no host has
    with pytest.raises(InputError, match=f"HEAD~1: {line}"):
        run("HEAD~1", "HEAD", clone)
    assert experiments.main("table", root=clone) == 0
    assert f"This clone is {kind}: git fetch" in capsys.readouterr().out
