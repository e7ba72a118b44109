"""The pipeline where machines differ: paths, homes, locales; the same dvc.lock."""

import os
import sys
from pathlib import Path

import pytest

from tests import tiny
from tests.test_pipeline import clone, dvc, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="locales are POSIX's"),
]

#: Names that ASCII lacks, one of them right to left.
NAMES = ["ноль", "數 1", "שתיים", "é ß"]
#: One model's part of the pipeline, from the download to the figures.
LAST = "plot@linear"


def checkout(target: Path) -> Path:
    """A repository without outputs, whose data source has classes that ASCII can't name."""
    folder = clone(target)
    (folder / "dvc.lock").unlink()
    examples = tiny.examples(200, classes=len(NAMES), size=(8, 8))
    entry = tiny.csv_source(examples, title="Знаки", class_names=NAMES)
    (tiny.use_source(folder, entry) / "train.csv").write_bytes(tiny.csv_bytes(examples))
    return folder


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which everything ran as it does on this machine."""
    folder = checkout(tmp_path_factory.mktemp("usual"))
    dvc("repro", LAST, cwd=folder)
    return folder


def assert_works_as_usual(folder: Path, usual: Path, **environment: str | None) -> None:
    dvc("repro", LAST, cwd=folder, **environment)
    assert (folder / "dvc.lock").read_bytes() == (usual / "dvc.lock").read_bytes()
    picture = "plots/linear/mistakes.png"
    for words in (["report"], ["compare"], ["predict", picture, "--model", "linear"]):
        run(sys.executable, "-m", "digits", *words, cwd=folder, **environment)
    assert NAMES[0] in (folder / "report/index.html").read_text(encoding="utf-8")
    assert NAMES[0] in (folder / "report/linear.md").read_text(encoding="utf-8")


def test_no_home_and_a_locale_of_ascii(usual: Path, tmp_path: Path) -> None:
    """Without UTF-8 mode and locale coercion, files and streams are ASCII where the code sets no encoding."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert_works_as_usual(checkout(tmp_path), usual, HOME=None, **plain)


def test_an_unusual_path_and_settings_of_other_tools_change_nothing(usual: Path, tmp_path: Path) -> None:
    folder = tmp_path / """it's "mine" $HOME `x` & ключ 數 %20 #1"""
    keras, temporary = tmp_path / ".keras", tmp_path / ("long" * 30)
    for made in (folder, keras, temporary):
        made.mkdir()
    (keras / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float64"}')
    assert_works_as_usual(
        checkout(folder),
        usual,
        HOME=str(tmp_path),
        KERAS_MAX_EPOCHS="1",
        MPLBACKEND="module://matplotlib_inline.backend_inline",  # Jupyter's
        TF_XLA_FLAGS="--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        TMPDIR=str(temporary),
    )
