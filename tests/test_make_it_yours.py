"""docs/make-it-yours.md: each change is made in a clone, run, and looked for where a user would."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from digits.core.examples import Examples
from digits.evaluate.inference import logits
from tests.conftest import REPOSITORY
from tests.test_pipeline import PATH, dvc, run, stages_run

pytestmark = pytest.mark.slow

FOLDER = REPOSITORY / "docs/make-it-yours"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DVC's cache, shared by the clones: what a change doesn't touch runs once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(tmp_path: Path, cache: Path) -> Path:
    """A clone of what is committed."""
    run("git", "clone", "--quiet", str(REPOSITORY), str(tmp_path / "mine"), cwd=tmp_path)
    dvc("cache", "dir", "--local", str(cache), cwd=tmp_path / "mine")
    return tmp_path / "mine"


def apply(change: str, project: Path) -> None:
    run("git", "apply", f"docs/make-it-yours/{change}.diff", cwd=project)


def python(*words: str, cwd: Path) -> str:
    return run(sys.executable, "-m", *words, cwd=cwd, PATH=PATH, PYTHONPATH=str(cwd))


def check(project: Path, *words: str) -> None:
    quick = "not slow and not browser and not mnist"
    python("pytest", "-q", "-p", "no:cacheprovider", "-m", quick, *words, cwd=project)
    python("ruff", "check", cwd=project)
    python("ruff", "format", "--check", cwd=project)


def report(project: Path) -> str:
    python("digits", "report", cwd=project)
    return (project / "report/index.html").read_text(encoding="utf-8")


def test_the_page_names_every_change_and_the_files_that_it_touches() -> None:
    page = FOLDER.with_suffix(".md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| .* \| \[.*\]\(make-it-yours/(.*)\) \| (.*) \|$", page, re.MULTILINE))
    assert sorted(rows) == sorted(path.name for path in FOLDER.glob("*.diff"))
    for name, places in rows.items():
        for path in re.findall(r"^\+\+\+ b/(.*)$", (FOLDER / name).read_text(), re.MULTILINE):
            # The page may say "its test" or `stages/ in place of the file's name.
            mention = {"tests": "its test", "stages": "`stages/"}.get(path.split("/")[0], Path(path).name)
            assert mention in places or Path(path).name in places


def test_a_model_and_one_that_is_not_dense(project: Path) -> None:
    apply("model", project)
    dvc("repro", cwd=project)
    metrics = json.loads(dvc("metrics", "show", "--json", cwd=project))[""]["data"]
    assert metrics["metrics/deep.json"]["data"]["test"]["accuracy"] > 0.9
    drawn = json.loads(dvc("plots", "show", "--json", cwd=project))
    assert {"Log loss, deep", "Accuracy, deep", "Confusion, deep"} <= set(drawn["data"])
    page = report(project)
    assert "<strong>deep</strong> is a dense network of 100 and 100 and 100 hidden units" in page
    assert "deep: weights of the first layer after" in page
    assert '"name": "deep"' in page
    repeated = "tests/test_dvc_yaml.py::test_what_dvc_makes_us_repeat_names_every_model"
    check(project, repeated, "tests/cli/test_recipes.py", "tests/core/test_params.py")

    apply("convolution", project)
    assert "train@deep" in stages_run(dvc("repro", cwd=project))
    assert json.loads((project / "metrics/deep.json").read_text())["test"]["accuracy"] > 0.9
    page, card = report(project), (project / "report/deep.md").read_text(encoding="utf-8")
    assert "<strong>deep</strong> is a convolutional network of 16 and 32 filters" in page
    assert "deep: a convolutional network of 16 and 32 filters, trained on" in card
    assert "classifier/convolution\\_1/kernel (3 × 3 × 1 × 16)" in card
    assert "deep: weights of the first layer" not in page
    assert "deep does not answer here: the board can&#39;t compute Conv, Transpose, Unsqueeze." in page
    assert '"name": "deep"' not in page
    images = Examples.load(project / "data/splits/test.npz").images
    session = onnxruntime.InferenceSession(project / "models/deep/model.onnx")
    (by_onnx,) = session.run(["logits"], {"images": images.astype(np.float32)})
    by_litert = logits(project / "models/deep/model.tflite", images)
    np.testing.assert_allclose(by_onnx, by_litert, rtol=0, atol=1e-3)
    check(project, "tests/train/test_export.py", "tests/core/test_params.py")


def test_a_stage(project: Path) -> None:
    apply("stage", project)
    dvc("repro", cwd=project)
    rows = (project / "tables/hard.csv").read_text().splitlines()
    accuracy = json.loads((project / "metrics/linear.json").read_text())["test"]["accuracy"]
    assert len(rows) - 1 == round(360 * (1 - accuracy))
    check(project, "tests/test_dvc_yaml.py")


def test_a_metric(project: Path) -> None:
    apply("metric", project)
    assert stages_run(dvc("repro", cwd=project)) >= {"evaluate@linear", "evaluate@dnn"}
    assert "test.top_2_accuracy" in dvc("metrics", "show", cwd=project)
    assert "top-2 accuracy" in report(project)
    assert "| top-2 accuracy |" in (project / "report/dnn.md").read_text(encoding="utf-8")
    check(project, "tests/evaluate", "tests/cli/test_metrics.py")


def test_a_figure(project: Path) -> None:
    apply("figure", project)
    dvc("repro", cwd=project)
    drawn = json.loads(dvc("plots", "show", "--json", cwd=project))
    assert any(Path(name).parts[-3:] == ("plots", "dnn", "confidence.png") for name in drawn["data"])
    assert "dnn: confidence of right and wrong answers" in report(project)
    check(project, "tests/stages/test_plot.py")


def test_a_data_format(project: Path) -> None:
    apply("format", project)
    folder = project / "data/sources/mine"
    folder.mkdir()
    labels = (np.arange(300) % 3).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 80, (300, 16, 16), np.uint8)
    np.save(folder / "images.npy", noise + 85 * labels[:, None, None])
    np.save(folder / "labels.npy", labels)
    document = (project / "docs/own-data.md").read_text(encoding="utf-8")
    (entry,) = re.findall(r"```yaml\n(title: My arrays\n.*?)```", document, re.DOTALL)
    (folder / "source.yaml").write_text(entry)
    dvc("exp", "run", "-S", "data.source=mine", cwd=project)
    assert json.loads((project / "metrics/dnn.json").read_text())["test"]["accuracy"] > 0.9
    assert "My arrays" in report(project)
    check(project, "tests/split", "tests/core/test_sources.py")


def test_a_command(project: Path) -> None:
    apply("command", project)
    dvc("repro", "train", cwd=project)
    sizes = dict(line.split() for line in python("digits", "size", cwd=project).splitlines())
    path = "models/dnn/model.onnx"
    assert sizes[path] == f"{(project / path).stat().st_size:,}"
    check(project, "tests/cli/test_app.py")


@pytest.mark.skipif(shutil.which("make") is None or os.name == "nt", reason="skeleton.sh needs sh and make")
def test_the_skeleton_is_green(project: Path) -> None:
    run("bash", "docs/make-it-yours/skeleton.sh", cwd=project)
    dvc("repro", cwd=project)
    assert "dvc metrics show" in run("make", "--dry-run", "results", cwd=project)
    assert "digits" not in run("make", cwd=project)
    check(project)
    python("mypy", cwd=project)
    run(str(Path(sys.executable).with_name("lint-imports")), cwd=project)
