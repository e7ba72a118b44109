"""The pipeline where machines differ: paths, caches, homes, locales, permissions; the same dvc.lock."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests import tiny
from tests.conftest import REPOSITORY
from tests.test_bad_input import contents
from tests.test_pipeline import clone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="locales, umask and mounts are POSIX's"),
]

#: Names that ASCII lacks, one of them right to left.
NAMES = ["ноль", "數 1", "שתיים", "é ß"]
#: One model's part of the pipeline, from the download to the figures.
LAST = "plot@linear"
#: Another file system than that of temporary folders, on most Linux machines.
ELSEWHERE = Path("/dev/shm")  # noqa: S108

Ended = subprocess.CompletedProcess[str]


def ended(*words: str, cwd: Path, env: Mapping[str, str | None] | None = None, umask: int = -1) -> Ended:
    """A program of the environment; None in ``env`` takes a variable away."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    changed = os.environ | {"PATH": path} | dict(env or {})
    return subprocess.run(
        words,
        cwd=cwd,
        env={name: value for name, value in changed.items() if value is not None},
        umask=umask,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )


def dvc(*words: str, cwd: Path, env: Mapping[str, str | None] | None = None, umask: int = -1) -> Ended:
    return ended(sys.executable, "-m", "dvc", *words, cwd=cwd, env=env, umask=umask)


def checkout(target: Path) -> Path:
    """A repository without outputs, whose data source has classes that ASCII can't name."""
    folder = clone(target)
    (folder / "dvc.lock").unlink()
    source = folder / "data/sources/mine"
    source.mkdir()
    examples = tiny.examples(200, classes=len(NAMES), size=(8, 8))
    (source / "symbols.csv").write_bytes(tiny.csv_bytes(examples))
    entry = {
        "title": "Знаки",
        "format": "csv",
        "height": 8,
        "width": 8,
        "pixel_maximum": 16,
        "class_names": NAMES,
        "files": {"train": {"urls": ["symbols.csv"]}},
    }
    (source / "source.yaml").write_text(yaml.safe_dump(entry, allow_unicode=True), "utf-8")
    params = folder / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("source: digits", "source: mine"), "utf-8")
    return folder


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which everything ran as it does on this machine."""
    folder = checkout(tmp_path_factory.mktemp("usual"))
    process = dvc("repro", LAST, cwd=folder)
    assert process.returncode == 0, process.stderr
    return folder


def assert_runs_as_usual(
    folder: Path, usual: Path, env: Mapping[str, str | None] | None = None, umask: int = -1
) -> None:
    process = dvc("repro", LAST, cwd=folder, env=env, umask=umask)
    assert process.returncode == 0, process.stdout + process.stderr
    assert (folder / "dvc.lock").read_bytes() == (usual / "dvc.lock").read_bytes()


def assert_commands_work(folder: Path, env: Mapping[str, str | None] | None = None) -> None:
    (picture,) = (folder / "plots/linear").glob("mistakes.png")
    for words in (
        ["report"],
        ["card"],
        ["compare"],
        ["predict", str(picture), "--model", "linear", "--format", "csv"],
    ):
        process = ended(sys.executable, "-m", "digits", *words, cwd=folder, env=env)
        assert process.returncode == 0, (words, process.stderr)
        assert "Traceback" not in process.stderr
    assert NAMES[0] in (folder / "report/index.html").read_text(encoding="utf-8")
    assert NAMES[0] in (folder / "report/linear.md").read_text(encoding="utf-8")


def test_a_path_of_spaces_quotes_and_letters(usual: Path, tmp_path: Path) -> None:
    folder = tmp_path / """it's "mine" $HOME `x` & ключ 數 %20 #1"""
    folder.mkdir()
    checkout(folder)
    assert_runs_as_usual(folder, usual)
    assert_commands_work(folder)


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"HOME": None}, id="no home"),
        pytest.param({"HOME": "/proc/none"}, id="home that nobody can make"),
        # Without Python's own ways out of such a locale: ASCII is all that files and streams take by default.
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="C locale"),
        pytest.param({"LC_ALL": "tr_TR.UTF-8", "TZ": "Nowhere/Nothing", "COLUMNS": "20"}, id="Turkish"),
    ],
)
def test_an_odd_environment(env: dict[str, str | None], usual: Path, tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    assert_runs_as_usual(folder, usual, env)
    assert_commands_work(folder, env)


def test_files_for_nobody_else(usual: Path, tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    assert_runs_as_usual(folder, usual, umask=0o077)


@pytest.mark.parametrize("link", ["copy", "symlink", "reflink,hardlink,symlink,copy"])
def test_a_cache_on_another_file_system(link: str, usual: Path, tmp_path: Path) -> None:
    if not ELSEWHERE.is_dir() or ELSEWHERE.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no other file system here")
    cache = ELSEWHERE / f"digits-cache-{os.getpid()}"
    folder = checkout(tmp_path)
    try:
        for words in (["cache", "dir", "--local", str(cache)], ["config", "--local", "cache.type", link]):
            assert dvc(*words, cwd=folder).returncode == 0
        assert_runs_as_usual(folder, usual)
        assert_commands_work(folder)
        model = folder / "models/linear/model.keras"
        if link in ("copy", "symlink"):
            assert model.is_symlink() == (link == "symlink")
        shutil.rmtree(folder / "models")
        assert dvc("checkout", "train@linear", cwd=folder).returncode == 0
        assert model.read_bytes() == (usual / "models/linear/model.keras").read_bytes()
        # A link leads into the cache, which the next training must not write through.
        params = folder / "params.yaml"
        params.write_text(params.read_text().replace("learning_rate: 0.03", "learning_rate: 0.04"))
        assert dvc("repro", LAST, cwd=folder).returncode == 0
        assert model.read_bytes() != (usual / "models/linear/model.keras").read_bytes()
        params.write_text(params.read_text().replace("learning_rate: 0.04", "learning_rate: 0.03"))
        assert_runs_as_usual(folder, usual)
        assert model.read_bytes() == (usual / "models/linear/model.keras").read_bytes()
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def read_only(place: Path, *words: str, cwd: Path) -> Ended:
    """The command where nobody, root included, may write to ``place``."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$PWD" && exec "$@"'
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here, to mount a folder read-only in")
    return ended(unshare, "-rm", "sh", "-c", mount, str(place), *words, cwd=cwd)


@pytest.fixture
def ready(usual: Path, tmp_path: Path) -> Path:
    """A copy of the usual checkout, of which a stage has to run again."""
    folder = tmp_path / "ready"
    shutil.copytree(usual, folder, symlinks=True)
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("learning_rate: 0.03", "learning_rate: 0.04"))
    return folder


def test_a_read_only_cache(ready: Path) -> None:
    """DVC says so after the stage, whose outputs stay."""
    cache = ready / ".dvc/cache"
    before = contents(cache)
    process = read_only(cache, sys.executable, "-m", "dvc", "repro", LAST, cwd=ready)
    assert process.returncode != 0
    assert re.fullmatch(r"ERROR: .* Read-only file system: .*\n", process.stderr), process.stderr
    assert contents(cache) == before
    assert (ready / "models/linear/model.keras").is_file()
    assert dvc("repro", LAST, cwd=ready).returncode == 0


def test_a_read_only_checkout(ready: Path) -> None:
    before = contents(ready)
    for words in (["dvc", "repro", LAST], ["stages.split"], ["digits", "report"], ["digits", "card"]):
        process = read_only(ready, sys.executable, "-m", *words, cwd=ready)
        assert process.returncode != 0
        line, *_ = process.stderr.splitlines()
        assert re.match(r"(error|ERROR): .*Read-only file system", line)
        assert "Traceback" not in process.stderr
    assert contents(ready) == before


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.11", ["--resolution", "lowest-direct"]),
        ("3.12", ["--constraints", "requirements.txt"]),
        ("3.13", ["--constraints", "requirements.txt"]),
    ],
)
def test_each_python_has_its_packages(version: str, words: list[str]) -> None:
    """The lowest ones that pyproject.toml allows, extras included; and the pinned ones on later Pythons."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--all-extras", "--python-version", version]
    process = ended(*command, *words, "--no-python-downloads", "pyproject.toml", cwd=REPOSITORY)
    if re.search("Failed to fetch|error sending request|tcp connect|dns error", process.stderr):
        pytest.skip("no package registry answers")
    assert process.returncode == 0, process.stderr
    assert "does not have an extra" not in process.stderr
