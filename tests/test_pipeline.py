"""The whole pipeline, as users run it: through DVC, in a clone."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from digits.examples import Examples
from tests.conftest import REPOSITORY
from tests.exports import every_runtime, furthest_apart

pytestmark = pytest.mark.slow

ALL = {
    "download",
    "split",
    "explore",
    *(f"{stage}@{model}" for stage in ("train", "evaluate", "plot") for model in ("linear", "dnn")),
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
    figures: dict[str, Any] = json.loads((folder / f"metrics/{model}/{split}.json").read_text())
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
        ("digits/figures.py", "", "\n", {"explore", "plot@linear", "plot@dnn"}),
        ("digits/inference.py", "", "\n", {"evaluate@linear", "evaluate@dnn"}),
        ("data/sources.yaml", "rows: 20000", "rows: 30000", set()),
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
        dvc("repro", cwd=project)


def test_a_failed_run_leaves_the_last_good_outputs(project: Path) -> None:
    files = [path for path in project.rglob("*") if path.is_file() and ".dvc" not in path.parts]
    before = {path: path.read_bytes() for path in files if path.parts[-2] != "__pycache__"}
    params = project / "params.yaml"
    good = params.read_text()
    try:
        params.write_text(good.replace("source: digits", "source: mnist"))
        process = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=project,
            env=os.environ
            | {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "DIGITS_MIRROR": str(project / "nowhere"),
                "HTTPS_PROXY": "http://127.0.0.1:9",  # no way out, wherever this runs
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        params.write_text(good)
    assert process.returncode != 0
    assert "Traceback" not in process.stderr
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert "mnist_train_small.csv: found no usable copy" in line
    assert {path: path.read_bytes() for path in before} == before
    assert stages_run(dvc("repro", cwd=project)) == set()


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX's")
@pytest.mark.parametrize("runner", ["dvc repro", "tools.parallel_repro"])
def test_an_interrupted_training_leaves_the_last_good_model(project: Path, runner: str) -> None:
    """Though DVC removes the outputs of a stage before it runs."""
    models = sorted((project / "models").glob("*/*"))
    before = {path: path.read_bytes() for path in models}
    params = project / "params.yaml"
    good = params.read_text()
    begin, dnn = good.split("  dnn:")
    long = dnn.replace("steps: 1000", "steps: 1000000").replace("periods: 10 ", "periods: 10000 ")
    try:
        params.write_text(f"{begin}  dnn:{long}".replace("periods: 10\n", "periods: 10000\n"))
        with subprocess.Popen(
            [sys.executable, "-m", *runner.split()],
            cwd=project,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            assert any(" 1    100 " in line for line in process.stdout), "no period"
            assert not (project / "models/dnn/model.keras").exists()
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            rest = process.stdout.read()
        assert process.returncode != 0, rest
        assert "Traceback" not in rest
    finally:
        params.write_text(good)
    assert {path: path.read_bytes() for path in sorted((project / "models").glob("*/*"))} == before
    assert stages_run(dvc("repro", cwd=project)) == set()


def test_a_training_that_diverges_leaves_the_last_good_model_and_metrics(project: Path) -> None:
    files = [path for path in project.rglob("*") if path.is_file() and ".dvc" not in path.parts]
    before = {path: path.read_bytes() for path in files if path.parts[-2] != "__pycache__"}
    params = project / "params.yaml"
    try:
        params.write_text(params.read_text().replace("learning_rate: 0.05", "learning_rate: 1e6"))
        process = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=project,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        params.write_bytes(before[params])
    assert process.returncode != 0
    assert "Traceback" not in process.stderr
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: training, period 1")
    assert line.endswith("lower learning_rate (1000000.0)")
    assert {path: path.read_bytes() for path in before} == before
    assert stages_run(dvc("repro", cwd=project)) == set()


def test_plots_show_draws_every_declared_plot(project: Path, tmp_path: Path) -> None:
    dvc("plots", "show", "--out", str(tmp_path), cwd=project)
    page = (tmp_path / "index.html").read_text()
    for plot in yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["plots"]:
        name = plot if isinstance(plot, str) else next(iter(plot))
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
    assert data["rows"] == {"train": 7500, "validation": 2500, "test": 10000}
    for model, validation, test, log_loss in (
        ("linear", 0.912, 0.911, 0.322),
        ("dnn", 0.953, 0.952, 0.194),
    ):
        figures = metrics(folder, model, "test")
        assert metrics(folder, model, "validation")["accuracy"] == pytest.approx(validation, abs=0.01)
        assert figures["accuracy"] == pytest.approx(test, abs=0.01)
        assert figures["log_loss"] == pytest.approx(log_loss, rel=0.1)
    assert metrics(folder, "linear", "validation")["log_loss_of_predicted_classes"] == pytest.approx(
        3.2, abs=0.3
    )
    assert_exports_agree(folder)
