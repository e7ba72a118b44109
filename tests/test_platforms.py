"""The pipeline where machines differ: paths, homes, locales; the same dvc.lock."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests import tiny
from tests.test_pipeline import clone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="locales are POSIX's"),
]

#: Names that ASCII lacks, one of them right to left.
NAMES = ["ноль", "數 1", "שתיים", "é ß"]
#: One model's part of the pipeline, from the download to the figures.
LAST = "plot@linear"


def ended(*words: str, cwd: Path, env: Mapping[str, str | None] = {}) -> str:
    """The standard error of a module that must end well; None in ``env`` takes a variable away."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    changed = os.environ | {"PATH": path} | dict(env)
    process = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=cwd,
        env={name: value for name, value in changed.items() if value is not None},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stderr


def checkout(target: Path) -> Path:
    """A repository without outputs, whose data source has classes that ASCII can't name."""
    folder = clone(target)
    (folder / "dvc.lock").unlink()
    source = folder / "data/sources/mine"
    source.mkdir()
    examples = tiny.examples(200, classes=len(NAMES), size=(8, 8))
    (source / "symbols.csv").write_bytes(tiny.csv_bytes(examples))
    entry = tiny.csv_source(
        examples, title="Знаки", class_names=NAMES, files={"train": {"urls": ["symbols.csv"]}}
    )
    text = yaml.safe_dump(entry.model_dump(exclude_unset=True), allow_unicode=True)
    (source / "source.yaml").write_text(text, "utf-8")
    params = folder / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("source: digits", "source: mine"), "utf-8")
    return folder


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which everything ran as it does on this machine."""
    folder = checkout(tmp_path_factory.mktemp("usual"))
    ended("dvc", "repro", LAST, cwd=folder)
    return folder


def assert_works_as_usual(folder: Path, usual: Path, env: Mapping[str, str | None] = {}) -> None:
    ended("dvc", "repro", LAST, cwd=folder, env=env)
    assert (folder / "dvc.lock").read_bytes() == (usual / "dvc.lock").read_bytes()
    picture = "plots/linear/mistakes.png"
    for words in (["report"], ["compare"], ["predict", picture, "--model", "linear"]):
        assert "Traceback" not in ended("digits", *words, cwd=folder, env=env)
    assert NAMES[0] in (folder / "report/index.html").read_text(encoding="utf-8")
    assert NAMES[0] in (folder / "report/linear.md").read_text(encoding="utf-8")


def test_a_path_of_spaces_quotes_and_letters(usual: Path, tmp_path: Path) -> None:
    folder = tmp_path / """it's "mine" $HOME `x` & ключ 數 %20 #1"""
    folder.mkdir()
    checkout(folder)
    assert_works_as_usual(folder, usual)


def test_no_home_and_a_locale_of_ascii(usual: Path, tmp_path: Path) -> None:
    """Without Python's own ways out of such a locale: ASCII is all that files and streams take by default."""
    env = {"HOME": None, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert_works_as_usual(checkout(tmp_path), usual, env)


def test_settings_that_the_user_has_for_other_work(usual: Path, tmp_path: Path) -> None:
    home, temporary = tmp_path / "home/.keras", tmp_path / ("long" * 30)
    for folder in (home, temporary):
        folder.mkdir(parents=True)
    (home / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float64"}')
    env = {
        "HOME": str(home.parent),
        "KERAS_MAX_EPOCHS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # Jupyter's
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        "TMPDIR": str(temporary),
    }
    assert_works_as_usual(checkout(tmp_path / "project"), usual, env)
