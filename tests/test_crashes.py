"""Runs that are cut off at any moment: the next one ends as if nothing had happened.

DIGITS_CRASHES says at how many moments (4), half of them one stage at a time.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.test_pipeline import clone

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="process groups and signals are POSIX's"),
]

MOMENTS = int(os.environ.get("DIGITS_CRASHES", "4"))
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
#: What `make run` does, in an environment that is there.
MAKE_RUN = """
python -m tools.parallel_repro --jobs $0
python -m digits fingerprint
python -m digits card
python -m digits report
"""


Process = subprocess.Popen[str]


def make_run(folder: Path, jobs: int) -> Process:
    return subprocess.Popen(
        ["sh", "-ec", MAKE_RUN, str(jobs)],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(folder: Path, jobs: int) -> str:
    """What a run prints that must end well."""
    with make_run(folder, jobs) as process:
        output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output


class Undisturbed:
    """A clone in which nothing has run yet, and what a run leaves of it."""

    def __init__(self, folder: Path) -> None:
        self.cold = clone(folder / "cold")
        (self.cold / "dvc.lock").unlink()
        shutil.rmtree(self.cold / "metrics")
        self.seconds: dict[int, float] = {}
        self.left: dict[int, dict[str, bytes]] = {}
        for jobs in (1, 2):
            start = time.monotonic()
            done = self.copy(folder / f"jobs-{jobs}")
            finish(done, jobs)
            self.seconds[jobs] = time.monotonic() - start
            self.left[jobs] = contents(done)
        assert self.left[1]["dvc.lock"] == self.left[2]["dvc.lock"]

    def copy(self, target: Path) -> Path:
        return Path(shutil.copytree(self.cold, target))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    return Undisturbed(tmp_path_factory.mktemp("undisturbed"))


def contents(folder: Path) -> dict[str, bytes]:
    """All files but those of git, DVC and Python's caches."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {".git", ".dvc", "__pycache__"} & set(path.parts)
    }


def kill_all(process: Process, folder: Path) -> None:
    """As when the machine stops: all that has come of it."""
    while family := at_work_in(folder):
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()


def kill_group(process: Process, folder: Path) -> None:
    """Of make and the runner alone: what they started finds itself without them."""
    os.killpg(process.pid, signal.SIGKILL)


def interrupt(process: Process, folder: Path) -> None:
    os.killpg(process.pid, signal.SIGINT)


def terminate(process: Process, folder: Path) -> None:
    os.killpg(process.pid, signal.SIGTERM)


CUTS = [kill_all, kill_all, kill_group, interrupt, terminate]


def moments() -> list[tuple[int, Callable[[Process, Path], None], float]]:
    """Jobs, how a run is cut off, and after which share of its time; the same for each test run."""
    chance = random.Random(0)  # noqa: S311
    return [(1 + at % 2, CUTS[at // 2 % len(CUTS)], chance.random()) for at in range(MOMENTS)]


@pytest.mark.parametrize(("jobs", "cut", "share"), moments())
def test_the_next_run_makes_good(
    jobs: int,
    cut: Callable[[Process, Path], None],
    share: float,
    undisturbed: Undisturbed,
    tmp_path: Path,
) -> None:
    folder = undisturbed.copy(tmp_path / "work")
    with make_run(folder, jobs) as process:
        try:
            process.communicate(timeout=share * undisturbed.seconds[jobs])
        except subprocess.TimeoutExpired:
            cut(process, folder)
    if cut in (interrupt, terminate):
        until = time.monotonic() + 20
        while (left := at_work_in(folder)) and time.monotonic() < until:
            time.sleep(0.1)
        assert not left
    finish(folder, jobs)
    found, expected = contents(folder), undisturbed.left[jobs]
    assert found.keys() == expected.keys()
    assert [path for path in expected if found[path] != expected[path]] == []


def at_work_in(folder: Path) -> list[psutil.Process]:
    """Processes whose working directory lies in the folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended, or is another user's
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def test_two_runs_at_once_both_end_right(undisturbed: Undisturbed, tmp_path: Path) -> None:
    folder = undisturbed.copy(tmp_path / "work")
    with make_run(folder, 2) as first, make_run(folder, 2) as second:
        outputs = [process.communicate(timeout=300)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], "\n\n".join(outputs)
    assert contents(folder) == undisturbed.left[2]
