"""The shell commands of the README and docs/, as printed and in the page's order, a clone for each page."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import MNIST, REPOSITORY
from tests.test_pipeline import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the commands are a POSIX shell's"),
]

#: The beginnings of lines that are not run here, and why.
NOT_RUN = {
    "python -m ": "tests/test_install.py runs it, and the lines around it",
    "uv ": "tests/test_install.py",
    "source ": "tests/test_install.py",
    "digits report --open": "tests/test_install.py, without --open, which starts a browser",
    "make mnist RECIPE=full": "fifteen minutes",
    "make mnist RECIPE=course-keras": "the images in ../shared/mnist lack the published checksum",
    "!": "a notebook on Colab",
    "%cd": "a notebook on Colab",
    "bash docs/make-it-yours/skeleton.sh": "tests/test_make_it_yours.py",
    "make lint": "its tools in the skeleton: tests/test_make_it_yours.py",
    "make test": "the skeleton's tests: tests/test_make_it_yours.py",
    "make lock": "needs a package registry, and takes the newest versions",
    ".venv/bin/dvc remote add -d storage ssh:": "needs an SSH server",
    ".venv/bin/dvc remote modify": "needs an SSH server",
    "ray ": "two nodes: tests/cli/test_sweep_cluster.py",
    ".venv/bin/digits sweep run dnn --address": "tests/cli/test_sweep_cluster.py",
}

#: Replacements in the printed commands; {} stands for the folder that holds the clone.
VALUES = {
    "http://teacher:8000": str(MNIST),
    "/path/to/a/folder": "{}/storage",
    "path/to/model.tflite": "models/dnn/model.tflite",
    "REPOSITORY": "{}/origin",
    "git merge other-branch": "! git merge origin/bob",  # it says CONFLICT, and ends with status 1
    "#   git checkout --theirs": "git checkout --theirs",
    "dvc queue start": "dvc queue start &> /dev/null",  # else its worker keeps the output open
    "--name one-layer": "--name one-layer -S train.dnn.steps=100",  # not 600, for time; two-layers keeps it
}


def lines(page: str) -> list[str]:
    """The lines of a page's shell commands; one that ends in a backslash goes on in the next."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|bash|shell|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return "".join(blocks).replace("\\\n", "").splitlines()


DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md"))]
PAGES = {page: lines(page) for page in DOCUMENTS if lines(page)}


def test_every_entry_of_the_tables_has_its_line() -> None:
    printed = [line for page in PAGES for line in PAGES[page]]
    assert [start for start in NOT_RUN if not any(line.startswith(start) for line in printed)] == []
    assert [text for text in VALUES if not any(text in line for line in printed)] == []


def user(*words: str, cwd: Path) -> str:
    """Output of a command that a user types in a clone with an environment of its own."""
    path = f"{cwd}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    return run(*words, cwd=cwd, PATH=path, PYTHONPATH=str(cwd), DIGITS_MIRROR=str(MNIST))


def clone(origin: Path, folder: Path, cache: Path) -> Path:
    """A clone in which make finds all packages installed: its .venv links to this environment's files."""
    ada = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    run("git", "clone", "--quiet", *ada, str(origin), str(folder), cwd=origin)
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        (folder / ".venv" / path.name).symlink_to(path)
    for name in ("installed", *(path.stem for path in folder.glob("requirements/*.txt"))):
        (folder / ".venv" / name).unlink(missing_ok=True)
        (folder / ".venv" / name).write_text(f"{folder.resolve()}\n")
    user("dvc", "cache", "dir", "--local", str(cache), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DVC's cache, and a bare repository of what is committed here, with an experiment on a branch, bob."""
    shared = tmp_path_factory.mktemp("shared")
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", "origin", cwd=shared)
    run("git", "fetch", "--quiet", str(REPOSITORY), "HEAD:main", cwd=shared / "origin")
    bob = clone(shared / "origin", shared / "bob", shared / "cache")
    work = "dvc exp run -S train.dnn.hidden_units=[200]; git commit -qam 'experiment: bob'"
    user("bash", "-ec", f"{work}; git push -q origin HEAD:bob", cwd=bob)
    return shared


CASES = [pytest.param(page, marks=pytest.mark.mnist if "mnist" in str(PAGES[page]) else ()) for page in PAGES]


@pytest.mark.parametrize("page", CASES)
def test_commands_run(page: str, shared: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if "mnist" in str(PAGES[page]):
        request.getfixturevalue("mnist")
    shutil.copytree(shared / "origin", tmp_path / "origin")
    folder = clone(tmp_path / "origin", tmp_path / "clone", shared / "cache")
    if page != "README.md":  # its own first command is make run
        user("make", "run", cwd=folder)
        (folder / "folder").mkdir()
        for picture in ("photo.png", "folder/photo.png"):
            shutil.copy(folder / "plots/data/example.png", folder / picture)
    for line in PAGES[page]:
        if not line.startswith(tuple(NOT_RUN)):
            for text, value in VALUES.items():
                line = line.replace(text, value.format(tmp_path))
            user("bash", "-ec", line, cwd=folder)
