"""What `pip install .` installs: one package, which predicts outside a checkout."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image, ImageDraw

from digits.core.model_input import ModelInput
from digits.train.export import save_tflite
from digits.train.network import build
from tests import tiny
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an unpacked wheel makes; pip would put the same into site-packages."""
    project, target = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, project)
    for name in ("digits", "stages", "tests"):
        shutil.copytree(REPOSITORY / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run([*pip, "--wheel-dir", project, project], check=True)
    [wheel] = project.glob("*.whl")
    ZipFile(wheel).extractall(target)
    return target


def digits(*words: str, installed: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run the installed command as its script in bin/ does; its folder comes before all others."""
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from digits.cli.app import run; run()"
    command = [sys.executable, "-I", "-c", code, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


def test_there_is_one_package_with_all_its_files(installed: Path) -> None:
    assert [path.name for path in installed.iterdir() if path.suffix != ".dist-info"] == ["digits"]
    names = subprocess.check_output(["git", "ls-files", "digits"], cwd=REPOSITORY, text=True).split()
    assert [name for name in names if not (installed / name).is_file()] == []


def test_help_and_predict_work_outside_a_checkout(installed: Path, tmp_path: Path) -> None:
    assert "predict" in digits("--help", installed=installed, cwd=tmp_path).stdout
    recipe = tiny.recipe(hidden_units=[5])
    network = build(recipe, height=28, width=28, pixel_maximum=255, classes=10)
    save_tflite(network, tmp_path / "model.tflite")
    ModelInput(28, 28, 255, tuple("0123456789"), 20, "mass", (14.0, 14.0)).save(tmp_path / "input.json")
    picture = Image.new("L", (90, 90), 255)
    ImageDraw.Draw(picture).line((45, 15, 45, 75), fill=0, width=8)
    picture.save(tmp_path / "1.png")
    predict = ("predict", "1.png", "--model-file", "model.tflite", "--format", "csv")
    process = digits(*predict, installed=installed, cwd=tmp_path)
    assert process.stdout.splitlines()[1].startswith("1.png,"), process.stderr
    assert process.returncode == 0


def test_other_commands_ask_for_a_checkout(installed: Path, tmp_path: Path) -> None:
    process = digits("report", installed=installed, cwd=tmp_path)
    assert process.stderr.startswith(
        f"error: {tmp_path}: expected a checkout of the project, found no folder digits/"
    )
    assert process.stderr.count("\n") == 1
    assert process.returncode == 1
