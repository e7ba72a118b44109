"""The whole pipeline, as users run it: through DVC, in a clone."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.core.examples import Examples
from digits.evaluate.scores import load_scores
from tests import tiny
from tests.conftest import REPOSITORY
from tests.exports import every_runtime, furthest_apart

MODELS = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["vars"][0]["models"]
ALL = {
    "download",
    "split",
    "explore",
    *(f"{stage}@{model}" for stage in ("train", "evaluate", "plot") for model in MODELS),
}


def run(*words: str, cwd: Path, **environment: str) -> str:
    """Standard output and error of a command that must succeed."""
    process = subprocess.run(
        words,
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def dvc(*words: str, cwd: Path, **environment: str) -> str:
    # As after `make install`: the environment's own programs come first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return run(sys.executable, "-m", "dvc", *words, cwd=cwd, PATH=path, **environment)


def clone(target: Path) -> Path:
    """A repository with the files of this one as they are now, committed."""
    files = run("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=REPOSITORY)
    for name in filter(None, files.split("\0")):
        if (REPOSITORY / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, target / name)
    git = ("git", "-c", "user.name=Test", "-c", "user.email=test@example.org")
    run("git", "init", "--quiet", cwd=target)
    run("git", "add", "--all", cwd=target)
    run(*git, "commit", "--quiet", "--message=Start", cwd=target)
    return target


def stages_run(output: str) -> set[str]:
    return set(re.findall(r"Running stage '(.+)'", output))


def metrics(folder: Path, model: str, split: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((folder / f"metrics/{model}.json").read_text())[split]
    return figures


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with every output made from nothing, once."""
    folder = clone(tmp_path_factory.mktemp("first"))
    (folder / "dvc.lock").unlink()
    assert stages_run(dvc("repro", cwd=folder)) == ALL
    return folder


def test_two_clean_runs_give_the_same_bytes(project: Path, tmp_path: Path) -> None:
    second = clone(tmp_path)
    (second / "dvc.lock").unlink()
    dvc("repro", cwd=second)
    assert (second / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()


def test_nothing_changed_runs_no_stage(project: Path) -> None:
    output = dvc("repro", cwd=project)
    assert stages_run(output) == set()
    assert "Data and pipelines are up to date." in output


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "params.yaml",
            "learning_rate: 0.05",
            "learning_rate: 0.06",
            {"train@dnn", "evaluate@dnn", "plot@dnn"},
        ),
        ("params.yaml", "mistakes: 24", "mistakes: 8", {"plot@linear", "plot@dnn"}),
        ("digits/figures/style.py", "", "\n", {"explore", "plot@linear", "plot@dnn"}),
        ("digits/evaluate/inference.py", "", "\n", {"evaluate@linear", "evaluate@dnn"}),
        ("digits/cli/predict.py", "", "\n", set()),
        ("data/sources/mnist/source.yaml", "rows: 20000", "rows: 30000", set()),
    ],
)
def test_a_change_runs_what_it_touches(
    project: Path, file: str, old: str, new: str, expected: set[str]
) -> None:
    path = project / file
    before = path.read_text()
    try:
        path.write_text(before.replace(old, new, 1) if old else before + new)
        assert path.read_text() != before
        assert stages_run(dvc("repro", cwd=project)) == expected
    finally:
        path.write_text(before)
    # Back to what was run before, DVC's cache has everything.
    assert stages_run(dvc("repro", cwd=project)) == set()


def failing(project: Path, old: str, new: str, **environment: str) -> str:
    """What a run says that must fail with another line in params.yaml, which is put back."""
    params = project / "params.yaml"
    good = params.read_text()
    assert old in good
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        params.write_text(good.replace(old, new))
        process = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=project,
            env=os.environ | {"PATH": path} | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        params.write_text(good)
    assert process.returncode != 0
    assert "Traceback" not in process.stderr
    assert "dvc checkout brings them back" in process.stderr
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    return line


def outputs(project: Path) -> dict[Path, bytes]:
    folders = ("data/raw", "data/splits", "models", "predictions", "plots", "tables", "metrics")
    return {
        path: path.read_bytes()
        for folder in folders
        for path in sorted((project / folder).rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("source: digits", "source: mnist", "mnist_train_small.csv: found no usable copy"),
        ("learning_rate: 0.05", "learning_rate: 1e6", "training, period 1"),
    ],
)
def test_after_a_failed_run_the_last_good_outputs_come_back(
    project: Path, old: str, new: str, said: str
) -> None:
    before = outputs(project)
    nowhere = {"DIGITS_MIRROR": str(project / "nowhere"), "HTTPS_PROXY": "http://127.0.0.1:9"}
    assert said in failing(project, old, new, **nowhere)
    dvc("checkout", cwd=project)
    assert outputs(project) == before
    assert stages_run(dvc("repro", cwd=project)) == set()


def test_an_own_file_that_changes_is_read_again(project: Path, tmp_path: Path) -> None:
    folder = project / "data/sources/mine"
    folder.mkdir()
    examples = Examples.load(project / "data/splits/train.npz")
    rows = tiny.csv_bytes(examples).splitlines(keepends=True)
    (folder / "mine.csv").write_bytes(b"".join(rows))
    described = tiny.csv_source(examples, files={"train": {"urls": ["mine.csv"]}})
    (folder / "source.yaml").write_text(yaml.safe_dump(described.model_dump(exclude_unset=True)))
    (project / "data/raw/notes.txt").write_text("the only copy")
    params = project / "params.yaml"
    good = params.read_text()
    try:
        params.write_text(good.replace("source: digits", "source: mine"))
        dvc("repro", "split", cwd=project)
        read = sum(json.loads((project / "metrics/data.json").read_text()).values())
        (folder / "mine.csv").write_bytes(b"".join(rows[:-5]))
        assert stages_run(dvc("repro", "split", cwd=project)) == {"download", "split"}
        assert sum(json.loads((project / "metrics/data.json").read_text()).values()) == read - 5
    finally:
        params.write_text(good)
        shutil.rmtree(folder)
        dvc("repro", cwd=project)
    assert (project / "data/raw/notes.txt").read_text() == "the only copy"


@pytest.mark.skipif(os.name == "nt", reason="make and process groups are POSIX's")
@pytest.mark.slow
def test_make_run_leaves_what_dvc_repro_leaves(project: Path, tmp_path: Path) -> None:
    second = clone(tmp_path)
    shutil.copy(project / "dvc.lock", second)  # DVC writes stages in the order in which they first ended
    (second / ".venv").symlink_to(REPOSITORY / ".venv")
    os.utime(second / "requirements.txt", (0, 0))
    printed = run("make", "run", cwd=second, PYTHONPATH=str(second))
    assert (second / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()
    table = [line for line in printed.splitlines() if line.startswith(("linear ", "dnn "))]
    assert len(table) == 2
    assert max(map(len, table)) <= 100


def test_plots_show_draws_every_declared_plot(project: Path, tmp_path: Path) -> None:
    dvc("plots", "show", "--out", str(tmp_path), cwd=project)
    page = (tmp_path / "index.html").read_text()
    for entry in yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["plots"]:
        name = entry if isinstance(entry, str) else next(iter(entry))
        assert name in page or name.replace("/", "_") in page, name


def assert_exports_agree(folder: Path) -> None:
    """On every image of the test split, whatever runs a network's files: to 1e-5 of a probability."""
    test = Examples.load(folder / "data/splits/test.npz")
    for model in ("linear", "dnn"):
        found = every_runtime(folder / "models" / model, test.images)
        assert {len(logits) for logits in found.values()} == {len(test)}
        assert furthest_apart(found) < 1e-5, model


def test_every_runtime_gives_the_same_answers(project: Path) -> None:
    assert_exports_agree(project)


@pytest.mark.mnist
def test_the_numbers_of_the_course_hold(mnist: Path, tmp_path: Path) -> None:
    """The tolerances are of the course's own figures (docs/course.md); a seed moves each by less."""
    folder = clone(tmp_path)
    dvc("exp", "run", "-S", "data.source=mnist", cwd=folder, DIGITS_MIRROR=str(mnist))
    data = json.loads((folder / "metrics/data.json").read_text())
    assert data == {"train": 7500, "validation": 2500, "test": 10000}
    for model, validation, test, log_loss in (
        ("linear", 0.912, 0.911, 0.322),
        ("dnn", 0.953, 0.952, 0.194),
    ):
        figures = metrics(folder, model, "test")
        assert metrics(folder, model, "validation")["accuracy"] == pytest.approx(validation, abs=0.01)
        assert figures["accuracy"] == pytest.approx(test, abs=0.01)
        assert figures["log_loss"] == pytest.approx(log_loss, rel=0.1)
    linear = load_scores(folder / "predictions/linear/scores.json")["validation"]
    assert linear.metrics["log_loss_of_predicted_classes"] == pytest.approx(3.2, abs=0.3)
    assert_exports_agree(folder)
