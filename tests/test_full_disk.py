"""A disk that gets full while a stage writes: one line, and what was there before stays."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_pipeline import clone, dvc, stages_run

pytestmark = pytest.mark.slow

STAGES = ["split", "explore", "train linear", "evaluate linear", "plot linear"]


def contents(folder: Path) -> dict[str, bytes]:
    """All files but those of git, DVC and Python's caches."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {".git", ".dvc", "__pycache__"} & set(path.parts)
    }


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"mounting a small disk takes more rights: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def project(disk: Path) -> Path:
    """A finished run on it."""
    folder = clone(disk / "project")
    dvc("repro", cwd=folder)
    return folder


def fill(disk: Path) -> Path:
    """A file that takes all the room that is left but for one page."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            file.truncate(file.tell() - 4096)
    return ballast


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_says_so_and_leaves_the_last_outputs(stage: str, project: Path, disk: Path) -> None:
    before = contents(project)
    name, *words = stage.split()
    ballast = fill(disk)
    try:
        process = subprocess.run(
            [sys.executable, "-m", f"stages.{name}", *words],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        ballast.unlink()
    assert process.returncode == 1, process.stdout
    (line,) = process.stderr.splitlines()
    assert line.startswith("error: ")
    assert "No space left on device" in line
    assert contents(project) == before


def test_with_room_again_a_run_ends_as_any_other(project: Path, disk: Path) -> None:
    before = contents(project)
    params = project / "params.yaml"
    good = params.read_text()
    params.write_text(good.replace("validation_fraction: 0.25", "validation_fraction: 0.3"))
    ballast = fill(disk)
    with ballast.open("rb+") as file:  # some room, but not for all
        file.truncate(ballast.stat().st_size - 200_000)
    process = subprocess.run(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=project,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    ballast.unlink()
    assert process.returncode != 0
    assert "No space left on device" in process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    params.write_text(good)
    dvc("repro", cwd=project)
    assert contents(project) == before
    assert stages_run(dvc("repro", cwd=project)) == set()
