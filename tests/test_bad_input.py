"""A fault of each kind, run as a user would: one line that says what to do, and what was there stays."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests import tiny
from tests.conftest import REPOSITORY, Server

TRAIN = tiny.examples(100, classes=10, size=(28, 28), pixel_maximum=255)
TEST = tiny.examples(20, classes=10, size=(28, 28), pixel_maximum=255, seed=1)
ROWS = tiny.csv_bytes(TRAIN).splitlines()

Fault = Callable[[Path], object]


def run_stage(*words: str, workspace: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"stages.{words[0]}", *words[1:]],
        cwd=workspace,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_PROXY": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sources(workspace: Path, **entries: dict[str, Any]) -> None:
    for name, described in entries.items():
        (workspace / "data/sources" / name).mkdir(parents=True, exist_ok=True)
        (workspace / "data/sources" / name / "source.yaml").write_text(yaml.safe_dump(described))


def entry(kind: str, **files: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "Tiny",
        "format": kind,
        "height": 28,
        "width": 28,
        "pixel_maximum": 255,
        "class_names": list(map(str, range(10))),
        "files": files,
    }


@pytest.fixture
def finished(workspace: Path) -> Path:
    """A workspace with the outputs of an earlier good run, and a small source."""
    sources(workspace, csv=entry("csv", train={"urls": ["train.csv"], "rows": 100}))
    settings("data", source="csv")(workspace)
    (workspace / "data/sources/csv/train.csv").write_bytes(tiny.csv_bytes(TRAIN))
    (workspace / "data/splits").mkdir()
    for name, part in (("train", TRAIN), ("validation", TEST), ("test", TEST)):
        part.save(workspace / f"data/splits/{name}.npz")
    for name in ("metrics/data.json", "models/linear/model.keras", "models/linear/history.csv"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("of the last good run")
    return workspace


def settings(*section: str, **changes: object) -> Fault:
    """params.yaml says ``changes`` in a section; a key set to ``...`` is left out."""

    def fault(workspace: Path) -> None:
        path = workspace / "params.yaml"
        document = part = yaml.safe_load(path.read_text())
        for key in section:
            part = part[key]
        part.update(changes)
        for key in [key for key, value in changes.items() if value is ...]:
            del part[key]
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    return fault


def raw(content: bytes) -> Fault:
    return lambda workspace: (workspace / "data/sources/csv/train.csv").write_bytes(content)


def pixel(content: bytes) -> Fault:
    """Column 400 of the third row is ``content``."""
    fields = ROWS[2].split(b",")
    changed = b",".join([*fields[:399], content, *fields[400:]])
    return raw(b"\n".join([*ROWS[:2], changed, *ROWS[3:], b""]))


PIXEL = "expected a pixel, an integer from 0 to 255"
AT = "data/sources/csv/train.csv, row 3, column 400"

# Name, the fault, the stage, and what the error line must contain.
FAULTS: list[tuple[str, Fault, str, list[str]]] = [
    (
        "unknown source",
        settings("data", source="mnits"),
        "download",
        ["params.yaml, data.source", "found 'mnits'", "expected one of csv, digits"],
    ),
    (
        "blank source",
        settings("data", source=None),
        "download",
        ["params.yaml, data.source: found None, expected a valid string"],
    ),
    (
        "raw file missing",
        lambda workspace: (workspace / "data/sources/csv/train.csv").unlink(),
        "split",
        ["train.csv"],
    ),
    ("pixel 256", pixel(b"256"), "split", [AT, "found '256'", PIXEL]),
    (
        "class missing",
        settings("data", rows=8),
        "split",
        ["no example of class", "in 6 rows", "raise data.rows"],
    ),
    (
        "unknown model",
        lambda _: None,
        "train cnn",
        ["params.yaml, train", "no model 'cnn'", "linear, dnn"],
    ),
    (
        "pixel beyond the last",
        settings("explore", pixel=785),
        "explore",
        ["params.yaml, explore.pixel", "found 785", "expected 1 to 784, a pixel of 28 × 28"],
    ),
    (
        "a word too many",
        lambda _: None,
        "split now",
        ["command line", "1 arguments (now)", "expected none"],
    ),
]


@pytest.mark.parametrize(
    ("fault", "stage", "pieces"), [pytest.param(*rest, id=name) for name, *rest in FAULTS]
)
def test_a_fault_ends_in_one_line_and_leaves_everything_as_it_was(
    fault: Fault, stage: str, pieces: list[str], finished: Path
) -> None:
    fault(finished)
    before = contents(finished)

    ended = run_stage(*stage.split(), workspace=finished)

    assert re.fullmatch("error: .+\n", ended.stderr), ended.stderr
    for piece in pieces:
        assert piece in ended.stderr
    assert ended.returncode == 1
    assert contents(finished) == before


def test_make_says_how_to_begin_where_there_is_no_git(tmp_path: Path) -> None:
    words = ["make", "-f", str(REPOSITORY / "Makefile"), "-o", "install", "run", "DVC=false"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "DVC needs; git init && git add --all && git commit" in ended.stderr


def test_what_is_odd_is_told_and_nothing_stops(finished: Path) -> None:
    twice = tiny.csv_bytes(TRAIN.take(np.arange(200) % 100))
    (finished / "data/sources/csv/train.csv").write_bytes(twice)
    sources(finished, csv=entry("csv", train={"urls": ["train.csv"]}))
    ended = run_stage("split", workspace=finished)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^warning: \d+ of 40 validation images are in train too", ended.stdout, re.MULTILINE)
    assert re.search(r"^warning: \d+ of 40 test images are in train too", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize("kind", ["folder", "url"])
def test_the_mirror_of_the_environment_is_tried_first(kind: str, finished: Path, server: Server) -> None:
    (finished / "copies").mkdir()
    (finished / "copies/train.csv").write_bytes(b"copy in the folder")
    server.pages |= {"/train.csv": b"copy on the server", "/own/train.csv": b"the source's own"}
    sources(finished, csv=entry("csv", train={"urls": [f"{server.url}/own/train.csv"]}))
    mirror = "copies" if kind == "folder" else server.url
    ended = run_stage("download", workspace=finished, DIGITS_MIRROR=mirror)
    assert (ended.returncode, ended.stderr) == (0, "")
    expected = b"copy in the folder" if kind == "folder" else b"copy on the server"
    assert contents(finished / "data/raw/csv") == {"train.csv": expected}
