"""The way without make: the README's commands in a fresh clone, with pip and with uv."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.test_pipeline import clone, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the commands are a POSIX shell's"),
]


@pytest.mark.parametrize("first", ["python -m venv", "uv venv"])
def test_the_way_without_make(first: str, tmp_path: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (commands,) = re.findall(rf"```sh\n({first}.*?)```", readme, re.DOTALL)
    commands = commands.replace("--python 3.12", f"--python {sys.executable}").replace(" --open", "")
    folder = clone(tmp_path)
    # The commands put the clone's .venv before this PATH: python is the clone's, uv this environment's.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run("bash", "-ec", commands, cwd=folder, PATH=path, VIRTUAL_ENV=None)
    assert (folder / "report/index.html").is_file()
    assert run("git", "status", "--porcelain", cwd=folder) == ""
