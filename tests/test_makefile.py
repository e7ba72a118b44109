"""What make prints and would run: Python's version, pip's settings, git, packages, recipes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="make is POSIX's")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in no git repository, whose environment is said to be there."""
    for name in ("Makefile", "dvc.yaml", "requirements.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / "requirements", tmp_path / "requirements")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/installed").write_text(f"{tmp_path.resolve()}\n")
    return tmp_path


def make(*words: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | environment
    return subprocess.run(["make", *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("found", [(3, 10, 9), (3, 14, 0)])
def test_a_python_that_the_packages_do_not_support_is_reported(found: tuple[int, ...], project: Path) -> None:
    (project / ".venv/installed").unlink()
    name = ".".join(map(str, found))
    (project / "sitecustomize.py").write_text(
        f"import sys; sys.version_info, sys.version = {found}, '{name}'"
    )
    process = make("install", f"PYTHON={sys.executable}", cwd=project, PYTHONPATH=str(project))
    assert f"{sys.executable} is Python {name}, but 3.11 to 3.13 is needed" in process.stderr
    assert process.returncode == 2


def test_pip_installs_into_the_environment_whatever_the_user_sets(project: Path) -> None:
    (project / ".venv/installed").unlink()
    python = project / "python"
    python.write_text('#!/bin/sh\necho "PIP_USER is $PIP_USER"; exit 1')
    python.chmod(0o755)
    assert "PIP_USER is 0" in make("install", f"PYTHON={python}", cwd=project, PIP_USER="1").stdout


def test_the_environment_of_another_checkout_is_made_anew(project: Path) -> None:
    assert "venv --clear" not in make("--dry-run", "install", cwd=project).stdout
    (project / ".venv/installed").write_text("/elsewhere\n")
    lines = make("--dry-run", "install", cwd=project).stdout
    assert ".venv belongs to /elsewhere" in lines
    assert "venv --clear" in lines


def test_no_git_and_no_commit_are_an_error_of_one_line(project: Path) -> None:
    line = "error: git has no commit of this folder, which DVC needs; git init && git add --all && git commit"
    assert make("run", cwd=project).stderr.startswith(line)
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    assert make("mnist", cwd=project).stderr.startswith(line)


def test_a_command_adds_what_it_needs_and_keeps_what_is_there(project: Path) -> None:
    newer = (project / ".venv/installed").stat().st_mtime + 10
    os.utime(project / ".venv/installed", (newer, newer))
    for command, extra in {"plots": "plots", "sweep": "sweep", "lint": "test"}.items():
        lines = make("--dry-run", command, cwd=project).stdout
        assert (
            f"uv pip install --python .venv/bin/python --require-hashes -r requirements/{extra}.txt" in lines
        )
        assert "venv --clear" not in lines
        (project / ".venv" / extra).touch()
        os.utime(project / ".venv" / extra, (newer, newer))
        assert "pip install" not in make("--dry-run", command, cwd=project).stdout
    assert "pip install" not in make("--dry-run", "run", cwd=project).stdout


@pytest.mark.parametrize(
    ("recipe", "source"), [("quick", "mnist"), ("full", "mnist-full"), ("course-keras", "mnist-full")]
)
def test_a_recipe_runs_on_the_data_that_it_is_made_for(recipe: str, source: str, project: Path) -> None:
    lines = make("--dry-run", "mnist", f"RECIPE={recipe}", cwd=project).stdout.splitlines()
    assert any(line.endswith(f"dvc exp run -S data.source={source}") for line in lines)
