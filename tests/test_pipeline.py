"""The whole pipeline, as users run it: through DVC, in a clone."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from digits.core.examples import Examples
from digits.evaluate.scores import load_scores
from tests import tiny
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

WIRING = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())
MODELS = WIRING["vars"][0]["models"]
ALL = {
    name
    for stage, what in WIRING["stages"].items()
    for name in ([f"{stage}@{model}" for model in MODELS] if "matrix" in what else [stage])
}


def run(*words: str, cwd: Path, **environment: str | None) -> str:
    """Standard output and error of a command that must succeed; a variable that is None is removed."""
    process = subprocess.run(
        words,
        cwd=cwd,
        env={name: value for name, value in (os.environ | environment).items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=600,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


#: As after `make install`: the environment's own programs come first.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def dvc(*words: str, cwd: Path, **environment: str | None) -> str:
    return run(sys.executable, "-m", "dvc", *words, cwd=cwd, PATH=PATH, **environment)


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


def clone_for_make(target: Path) -> Path:
    """A clone with the environment of this one."""
    clone(target)
    (target / ".venv").symlink_to(REPOSITORY / ".venv")
    os.utime(target / "requirements.txt", (0, 0))  # else make would install them
    return target


def stages_run(output: str) -> set[str]:
    return set(re.findall(r"Running stage '(.+)'", output))


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


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("params.yaml", "rate: 0.05", "rate: 0.06", {"train@dnn", "evaluate@dnn", "plot@dnn"}),
        ("digits/figures/style.py", "SIGNED = ", "SIGNED =  ", {"explore", "plot@linear", "plot@dnn"}),
        ("digits/cli/predict.py", "import", "import ", set()),
        ("data/sources/mnist/source.yaml", "rows: 20000", "rows: 30000", set()),
    ],
)
def test_a_change_runs_what_it_touches(
    project: Path, file: str, old: str, new: str, expected: set[str]
) -> None:
    path = project / file
    before = path.read_text()
    try:
        assert old in before
        path.write_text(before.replace(old, new, 1))
        assert stages_run(dvc("repro", cwd=project)) == expected
    finally:
        path.write_text(before)
    # With the old text back, DVC takes all outputs from its cache.
    assert stages_run(dvc("repro", cwd=project)) == set()


def outputs(project: Path) -> dict[Path, bytes]:
    folders = ("data/raw", "data/splits", "models", "predictions", "plots", "tables", "metrics")
    files = (path for folder in folders for path in (project / folder).rglob("*"))
    return {path.relative_to(project): path.read_bytes() for path in files if path.is_file()}


def test_dvc_checkout_restores_the_outputs_after_a_failed_run(project: Path) -> None:
    before = outputs(project)
    params = project / "params.yaml"
    good = params.read_text()
    try:
        params.write_text(good.replace("learning_rate: 0.05", "learning_rate: 1e6"))
        with pytest.raises(AssertionError, match=r"error: .*training, period 1") as failed:
            dvc("repro", cwd=project)
    finally:
        params.write_text(good)
    assert "dvc checkout --force train@dnn brings them back" in str(failed.value)
    assert "Traceback" not in str(failed.value)
    dvc("checkout", "--force", "train@dnn", cwd=project)
    assert outputs(project) == before
    assert stages_run(dvc("repro", cwd=project)) == set()


def test_curves_grow_while_a_training_runs_and_an_edit_ends_it(project: Path, tmp_path: Path) -> None:
    history, params, lock = (project / name for name in ("models/dnn/history.csv", "params.yaml", "dvc.lock"))
    good, recorded = params.read_text(), lock.read_bytes()
    linear, dnn = good.split("  dnn:\n")
    try:
        params.write_text(linear + "  dnn:\n" + dnn.replace("steps: 1000", "steps: 30000"))
        command = [sys.executable, "-m", "dvc", "repro", "train@dnn"]
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=project, stdout=log, stderr=log, env=os.environ | {"PATH": PATH}
            )
        deadline = time.monotonic() + 120
        while not (history.exists() and ",3000," in history.read_text()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        shown = dvc("plots", "diff", "--json", "HEAD", cwd=project)
        drawn, _ = json.JSONDecoder().raw_decode(shown, shown.index("{"))
        assert '"step": "3000"' in json.dumps(drawn["data"]["Log loss, dnn"])
    finally:
        params.write_text(good)
        status = process.wait(timeout=120)
    assert status != 0
    assert "params.yaml, train.dnn: edited while this stage ran" in (tmp_path / "log").read_text()
    assert lock.read_bytes() == recorded
    assert stages_run(dvc("repro", cwd=project)) == set()


def test_an_own_file_that_changes_is_read_again(project: Path) -> None:
    examples = Examples.load(project / "data/splits/train.npz")
    rows = tiny.csv_bytes(examples).splitlines(keepends=True)
    params, sizes = project / "params.yaml", project / "metrics/data.json"
    good = params.read_text()
    folder = tiny.use_source(project, tiny.csv_source(examples))
    try:
        (folder / "train.csv").write_bytes(b"".join(rows))
        dvc("repro", "split", cwd=project)
        assert sum(json.loads(sizes.read_text()).values()) == len(rows)
        (folder / "train.csv").write_bytes(b"".join(rows[:-5]))
        assert stages_run(dvc("repro", "split", cwd=project)) == {"download", "split"}
        assert sum(json.loads(sizes.read_text()).values()) == len(rows) - 5
    finally:
        params.write_text(good)
        shutil.rmtree(folder)
        dvc("repro", cwd=project)


@pytest.mark.skipif(os.name == "nt", reason="make and process groups are POSIX's")
def test_make_run_leaves_what_dvc_repro_leaves(project: Path, tmp_path: Path) -> None:
    second = clone_for_make(tmp_path)
    shutil.copy(project / "dvc.lock", second)  # DVC writes stages in the order in which they first ended
    run("make", "run", cwd=second, PYTHONPATH=str(second))
    assert (second / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()


@pytest.mark.mnist
def test_the_numbers_of_the_course_hold(mnist: Path, tmp_path: Path) -> None:
    """The numbers are the course's (docs/course.md); the tolerances are wider than the spread of seeds."""
    folder = clone(tmp_path)
    dvc("exp", "run", "-S", "data.source=mnist", cwd=folder, DIGITS_MIRROR=str(mnist))
    data = json.loads((folder / "metrics/data.json").read_text())
    assert data == {"train": 7500, "validation": 2500, "test": 10000}
    for model, validation, test, log_loss in (("linear", 0.912, 0.911, 0.322), ("dnn", 0.953, 0.952, 0.194)):
        figures = json.loads((folder / f"metrics/{model}.json").read_text())
        assert figures["validation"]["accuracy"] == pytest.approx(validation, abs=0.01)
        assert figures["test"]["accuracy"] == pytest.approx(test, abs=0.01)
        assert figures["test"]["log_loss"] == pytest.approx(log_loss, rel=0.1)
    linear = load_scores(folder / "predictions/linear/scores.json")["validation"]
    assert linear.metrics["log_loss_of_predicted_classes"] == pytest.approx(3.2, abs=0.3)
