"""The commands of .github/workflows, run here as GitHub's runners would.

GitHub itself can't be reached: ``gh`` is a stand-in that keeps its arguments. Steps that install packages or
run the tests are not run: that would take an hour, and call this test again. Of these, the files, targets and
options are checked.
"""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.test_pipeline import PATH, clone, run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are bash's")

STEPS: list[dict[str, Any]] = [
    step
    for path in sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    for step in job["steps"]
    if "run" in step
]


def runs_here(step: dict[str, Any]) -> bool:
    return not step["run"].startswith((".ci/", "make ", "python -m pip", "python -m pytest"))


def test_the_comparison_is_in_the_summary_and_in_a_comment(tmp_path: Path) -> None:
    folder, programs, summary = tmp_path / "clone", tmp_path / "bin", tmp_path / "summary"
    clone(folder)
    (folder / ".venv").symlink_to(sys.prefix)
    lines = (folder / "params.yaml").read_text().replace("learning_rate: 0.05", "learning_rate: 0.06")
    (folder / "params.yaml").write_text(lines)
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    run("git", *author, "commit", "--all", "--quiet", "--message=Change", cwd=folder)
    programs.mkdir()
    (programs / "gh").write_text(f"#!/bin/sh\necho \"$@\" > '{tmp_path}/gh'\n")
    (programs / "gh").chmod(0o755)
    given = {"GITHUB_STEP_SUMMARY": str(summary), "RUNNER_TEMP": str(tmp_path)}
    path = f"{programs}{os.pathsep}{PATH}"
    for step in filter(runs_here, STEPS):
        assert "${{" not in step["run"], "a title of a pull request could be run: give it as env"
        values = given | dict.fromkeys(step.get("env", {}), "1")
        run("bash", "-eo", "pipefail", "-c", step["run"], cwd=folder, PATH=path, **values)
    assert "| train.dnn.learning_rate | 0.05     | 0.06" in summary.read_text()
    assert (tmp_path / "comparison.md").read_text() == summary.read_text()
    words = f"pr comment 1 --body-file {tmp_path}/comparison.md --edit-last --create-if-none"
    assert (tmp_path / "gh").read_text().strip() == words


@pytest.mark.parametrize("command", [step["run"] for step in STEPS if not runs_here(step)])
def test_files_targets_and_options_of_long_steps_exist(command: str) -> None:
    if command.startswith(".ci/"):
        assert os.access(REPOSITORY / command, os.X_OK)
    elif command.startswith("make "):
        run(*command.split(), "--dry-run", cwd=REPOSITORY)
    elif command.startswith("python -m pip"):
        readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
        # The README has the same command with another file.
        assert command.replace("requirements/test.txt", "requirements/plots.txt") in readme
    else:
        run("bash", "-c", f"{command} --collect-only tests/test_makefile.py", cwd=REPOSITORY, PATH=PATH)
