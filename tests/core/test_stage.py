"""How a stage's process ends, whatever becomes of its output."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

STAGE = """
import sys
from digits.core.errors import InputError
from digits.core.stage import run

def main(what):
    print("x" * 100_000)
    if what == "letters":
        print("\\u043d\\u0438\\u043b\\u044c")
    if what == "bad":
        raise InputError("a", found="b", expected="c", do="d")
    if what == "mistake":
        raise KeyError(what)
    if what == "interrupt":
        raise KeyboardInterrupt

run(main)
"""


def stage(
    what: str, cwd: Path, redirect: str = "> out", **environment: str
) -> "subprocess.CompletedProcess[str]":
    (cwd / "stage.py").write_text(STAGE)
    return subprocess.run(
        ["sh", "-c", f'"$0" stage.py {what} {redirect}', sys.executable],
        cwd=cwd,
        env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
        | {"PYTHONPATH": str(REPOSITORY)}
        | environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("what", "status", "said"),
    [("good", 0, ""), ("bad", 1, "error: a: found b, expected c; d\n"), ("interrupt", 130, "stopped\n")],
)
def test_output_is_whole(what: str, status: int, said: str, tmp_path: Path) -> None:
    process = stage(what, tmp_path)
    assert (process.returncode, process.stderr) == (status, said)
    assert (tmp_path / "out").stat().st_size == 100_001


@pytest.mark.parametrize(("what", "status"), [("bad", 1), ("interrupt", 130)])
def test_under_dvc_it_says_how_the_last_outputs_come_back(what: str, status: int, tmp_path: Path) -> None:
    process = stage(what, tmp_path, DVC_STAGE="train")
    assert process.returncode == status
    assert process.stderr.splitlines()[-1].endswith("dvc checkout brings them back")


def test_a_mistake_of_the_project_keeps_its_traceback(tmp_path: Path) -> None:
    process = stage("mistake", tmp_path)
    assert process.returncode == 1
    assert process.stderr.startswith("Traceback")


def test_a_closed_output_is_no_failure(tmp_path: Path) -> None:
    process = stage("good", tmp_path, ">&-")
    assert (process.returncode, process.stderr) == (0, "")


def test_letters_that_the_output_lacks_are_no_failure(tmp_path: Path) -> None:
    process = stage("letters", tmp_path, PYTHONIOENCODING="ascii")
    assert (process.returncode, process.stderr) == (0, "")
    assert (tmp_path / "out").read_text().endswith("\\u043d\\u0438\\u043b\\u044c\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_one(tmp_path: Path) -> None:
    process = stage("good", tmp_path, "> /dev/full")
    assert process.returncode == 1
    assert process.stderr.startswith("error: [Errno 28]")
    assert process.stderr.count("\n") == 1
