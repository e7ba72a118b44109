"""Runs that are killed at any moment: the next one ends as if nothing had happened.

The environment variable DIGITS_CRASHES sets the number of moments; the default is 2.
"""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.test_pipeline import clone_for_make, outputs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="process groups and signals are POSIX's"),
]

MOMENTS = int(os.environ.get("DIGITS_CRASHES", "2"))


def make_run(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["make", "run"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(folder: Path) -> dict[Path, bytes]:
    """Run the pipeline, which must succeed, and return the files that it leaves."""
    with make_run(folder) as process:
        printed = process.communicate(timeout=300)[0]
    assert process.returncode == 0, printed
    return outputs(folder) | {Path("dvc.lock"): (folder / "dvc.lock").read_bytes()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[Path, bytes], float]:
    """The files of a run that nothing stopped, and its seconds."""
    folder = clone_for_make(tmp_path_factory.mktemp("undisturbed"))
    start = time.monotonic()
    return finish(folder), time.monotonic() - start


def at_work_in(folder: Path) -> list[psutil.Process]:
    """Processes whose working directory is the folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or is another user's
            if process.cwd() == str(folder):
                found.append(process)
    return found


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_the_run_after_a_kill_gives_the_files_of_an_undisturbed_run(
    moment: int, undisturbed: tuple[dict[Path, bytes], float], tmp_path: Path
) -> None:
    expected, seconds = undisturbed
    folder = clone_for_make(tmp_path)
    with make_run(folder) as process:
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=random.Random(moment).random() * seconds)  # noqa: S311
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for member in at_work_in(folder):
            with suppress(psutil.Error):
                member.kill()
    # DVC takes a killed process for a live one until its parent has waited for it (docs/troubleshooting.md).
    (folder / ".dvc/tmp/rwlock").unlink(missing_ok=True)
    found = finish(folder)
    assert found.keys() == expected.keys()
    assert [path for path in expected if found[path] != expected[path]] == []
