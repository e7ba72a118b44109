"""The exit status and last lines of a stage's process, also if its output can't be written."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

#: ``what`` is the behaviour to try; ``edit FILE OLD NEW`` edits a file while the stage runs.
STAGE = """
import os
import sys
import time
from digits.core.errors import InputError
from digits.core.stage import check_unchanged, run

def main(what):
    if what.startswith("edit "):
        file, old, new = what.split()[1:]
        text = open(file).read()
        open(file, "w").write(text.replace(old, new))
        check_unchanged()
    if what == "orphan":
        os.kill(os.getppid(), 9)
        time.sleep(0.5)
        check_unchanged()
    print("x" * 100_000)
    if what == "letters":
        print("\\u043d\\u0438\\u043b\\u044c")
    if what == "bad":
        raise InputError("a", "b", "C")
    if what == "mistake":
        raise KeyError(what)
    if what == "interrupt":
        raise KeyboardInterrupt

run(main, "train.dnn")
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


BACK = "dvc checkout --force train brings them back"
KEPT = f"DVC deleted this stage's old outputs. If its cache has them, {BACK}\n"


@pytest.mark.parametrize(
    ("what", "status", "said"),
    [
        ("good", 0, ""),
        ("bad", 1, f"error: a: b. C.\n{KEPT}"),
        ("interrupt", 130, f"stopped\n{KEPT}"),
    ],
)
def test_output_is_whole(what: str, status: int, said: str, tmp_path: Path) -> None:
    process = stage(what, tmp_path, DVC_STAGE="train")
    assert (process.returncode, process.stderr) == (status, said)
    assert (tmp_path / "out").stat().st_size == 100_001


def test_arguments_that_a_stage_does_not_take_are_refused(tmp_path: Path) -> None:
    process = stage("too many", tmp_path)
    assert process.returncode == 1
    assert process.stderr.startswith("error: command line: expected what; found 2 arguments.")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("params.yaml rate: rate:_", "params.yaml, train.dnn: edited while this stage ran"),
        ("params.yaml dnn: d:", "params.yaml, train.dnn: edited"),
        ("stage.py 100_000 100_001", "stage.py: edited"),
        ("params.yaml steps: steps_:", ""),  # a parameter of the other model
    ],
)
def test_an_edit_while_a_stage_runs_is_refused(edit: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("train:\n  linear: {steps: 1}\n  dnn: {rate: 1}\n")
    process = stage(f"'edit {edit}'", tmp_path)
    assert process.returncode == bool(said)
    assert process.stderr.startswith(f"error: {said}" if said else "")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the number of a parent that has ended")
def test_a_stage_that_dvc_left_behind_ends(tmp_path: Path) -> None:
    stage("orphan", tmp_path, "> out 2> err; true", DVC_STAGE="train")
    deadline = time.monotonic() + 20
    while not (said := (tmp_path / "err").read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "DVC, which started it, was killed" in said


def test_a_mistake_of_the_project_keeps_its_traceback(tmp_path: Path) -> None:
    process = stage("mistake", tmp_path)
    assert process.returncode == 1
    assert process.stderr.startswith("Traceback")


def test_a_closed_output_is_no_failure(tmp_path: Path) -> None:
    process = stage("good", tmp_path, ">&-")
    assert (process.returncode, process.stderr) == (0, "")


def test_letters_that_the_output_cannot_encode_are_no_failure(tmp_path: Path) -> None:
    process = stage("letters", tmp_path, PYTHONIOENCODING="ascii")
    assert (process.returncode, process.stderr) == (0, "")
    assert (tmp_path / "out").read_text().endswith("\\u043d\\u0438\\u043b\\u044c\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    process = stage("good", tmp_path, "> /dev/full")
    assert process.returncode == 1
    assert process.stderr.startswith("error: [Errno 28]")
    assert process.stderr.count("\n") == 1
