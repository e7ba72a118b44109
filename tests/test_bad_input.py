"""Each fault, run as a user would: one line that says what to mend, and what was there stays."""

import gzip
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
IMAGES, LABELS = tiny.idx_bytes(TRAIN.images), tiny.idx_bytes(TRAIN.labels)
REFUSED = "http://127.0.0.1:9"

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
    (workspace / "data/sources.yaml").write_text(yaml.safe_dump(entries))


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
    """A workspace with the outputs of an earlier good run, and two small sources: csv and idx."""
    published = workspace / "published"
    published.mkdir()
    (published / "train.csv").write_bytes(tiny.csv_bytes(TRAIN))
    (published / "images").write_bytes(IMAGES)
    (published / "labels").write_bytes(LABELS)
    sources(
        workspace,
        csv=entry("csv", train={"urls": ["published/train.csv"], "rows": 100}),
        idx=entry("idx", train_images={"urls": ["images"]}, train_labels={"urls": ["labels"]}),
    )
    settings("data", source="csv")(workspace)
    for folder in ("raw", "splits"):
        (workspace / "data" / folder).mkdir()
    for file in published.iterdir():
        (workspace / "data/raw" / file.name).write_bytes(file.read_bytes())
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


def settings_file(content: bytes) -> Fault:
    return lambda workspace: (workspace / "params.yaml").write_bytes(content)


def published_at(*urls: str, **more: object) -> Fault:
    return lambda workspace: sources(workspace, csv=entry("csv", train={"urls": list(urls), **more}))


def raw(content: bytes, name: str = "train.csv") -> Fault:
    return lambda workspace: (workspace / "data/raw" / name).write_bytes(content)


def row(content: bytes) -> Fault:
    """The third row is ``content``."""
    return raw(b"\n".join([*ROWS[:2], content, *ROWS[3:], b""]))


def field(content: bytes, column: int = 400) -> Fault:
    """One field of the third row is ``content``; columns count from 1."""
    fields = ROWS[2].split(b",")
    return row(b",".join([*fields[: column - 1], content, *fields[column:]]))


def idx(images: bytes = IMAGES, labels: bytes = LABELS) -> Fault:
    def fault(workspace: Path) -> None:
        settings("data", source="idx")(workspace)
        raw(images, "images")(workspace)
        raw(labels, "labels")(workspace)

    return fault


NO_COPY = "found no usable copy at"
PIXEL = "expected a pixel, an integer from 0 to 255"
LABEL = "expected a label, an integer from 0 to 9"
AT = "data/raw/train.csv, row 3, column 400"

# Name, the fault, the stage, and what the error line must contain.
FAULTS: list[tuple[str, Fault, str, list[str]]] = [
    # Sources
    (
        "refused",
        published_at(f"{REFUSED}/x.csv"),
        "download",
        ["x.csv", f"{REFUSED}/x.csv (connection refused)"],
    ),
    (
        "two mirrors refused",
        published_at(f"{REFUSED}/x.csv", f"{REFUSED}/copies/x.csv"),
        "download",
        [NO_COPY, f"{REFUSED}/x.csv (connection refused)", f"{REFUSED}/copies/x.csv (connection refused)"],
    ),
    (
        "checksum",
        published_at("published/train.csv", checksum=f"md5:{'0' * 32}"),
        "download",
        ["train.csv", f"the bytes do not match md5:{'0' * 32}"],
    ),
    ("HTTP 404", published_at("SERVER/x.csv"), "download", ["/x.csv (HTTP status 404)"]),
    ("HTML", published_at("SERVER/portal.csv"), "download", ["/portal.csv (a web page, not data)"]),
    (
        "empty download",
        published_at("SERVER/empty.csv"),
        "download",
        ["/empty.csv (the file is empty)"],
    ),
    (
        "unknown source",
        settings("data", source="mnits"),
        "download",
        ["params.yaml, data.source", "no entry 'mnits'", "one of csv, idx"],
    ),
    (
        "no catalogue",
        lambda workspace: (workspace / "data/sources.yaml").unlink(),
        "download",
        ["data/sources.yaml", "no such file"],
    ),
    # CSV
    (
        "raw file missing",
        lambda workspace: (workspace / "data/raw/train.csv").unlink(),
        "split",
        ["train.csv"],
    ),
    (
        "gzip cut",
        raw(gzip.compress(b"\n".join(ROWS))[:-20]),
        "split",
        ["data/raw/train.csv", "broken gzip"],
    ),
    ("empty file", raw(b""), "split", ["data/raw/train.csv", "an empty file"]),
    (
        "784 columns",
        row(ROWS[2].rpartition(b",")[0]),
        "split",
        ["data/raw/train.csv, row 3", "784 columns", "785: a label and 28 × 28 pixels"],
    ),
    (
        "786 columns",
        row(ROWS[2] + b",0"),
        "split",
        ["data/raw/train.csv, row 3", "786 columns", "785"],
    ),
    ("pixel 256", field(b"256"), "split", [AT, "found '256'", PIXEL]),
    ("pixel -1", field(b"-1"), "split", [AT, "found '-1'", PIXEL]),
    ("pixel 3.5", field(b"3.5"), "split", [AT, "found '3.5'", PIXEL]),
    ("pixel inf", field(b"inf"), "split", [AT, "found 'inf'", PIXEL]),
    ("no pixel", field(b""), "split", [AT, "found ''", PIXEL]),
    ("NUL byte", field(b"\0"), "split", [AT, r"found '\x00'", PIXEL]),
    ("pixel x", field(b"x"), "split", [AT, "found 'x'", PIXEL]),
    ("label 10", field(b"10", column=1), "split", ["row 3, column 1", "found '10'", LABEL]),
    ("label x", field(b"x", column=1), "split", ["row 3, column 1", "found 'x'", LABEL]),
    (
        "header",
        raw(b"\n".join([b"label," + b",".join(b"p%d" % i for i in range(784)), *ROWS])),
        "split",
        ["data/raw/train.csv, row 1", "found a header", "remove the row"],
    ),
    ("semicolons", raw(b"\n".join(ROWS).replace(b",", b";")), "split", ["row 1", "semicolons", "commas"]),
    ("UTF-16", raw(b"\xff\xfe" + b"0\0,\0" * 9), "split", ["train.csv", "UTF-16", "save it as UTF-8"]),
    ("Excel", raw(b"PK\3\4" + bytes(99)), "split", ["train.csv", "an Excel workbook", "as CSV"]),
    ("a huge line", raw(gzip.compress(b"0" * 10**7)), "split", ["offset 0", "a line of more than"]),
    ("quotes", field(b'"5"'), "split", [AT, "without quotes"]),
    (
        "rows",
        raw(b"\n".join(ROWS[:99])),
        "split",
        ["data/raw/train.csv", "found 99 rows", "expected 100"],
    ),
    # IDX
    (
        "magic",
        idx(images=b"\0\0\x0d\x03" + IMAGES[4:]),
        "split",
        ["data/raw/images, offset 0", "0x00000d03"],
    ),
    (
        "swapped",
        idx(LABELS, IMAGES),
        "split",
        ["data/raw/images, offset 0", "0x00000801", "0x00000803"],
    ),
    (
        "counts",
        idx(labels=tiny.idx_bytes(TRAIN.labels[:99])),
        "split",
        ["data/raw/labels", "found 99 labels", "expected 100"],
    ),
    (
        "IDX cut",
        idx(images=IMAGES[:-1]),
        "split",
        ["data/raw/images, offset 16", "78399 bytes", "78400"],
    ),
    (
        "IDX too long",
        idx(images=IMAGES + b"\0"),
        "split",
        ["data/raw/images", "more than 78400 bytes"],
    ),
    (
        "IDX label 10",
        idx(labels=tiny.idx_bytes(np.full(100, 10, np.uint8))),
        "split",
        ["data/raw/labels, row 1", "found 10", LABEL],
    ),
    # Splitting
    (
        "class missing",
        settings("data", rows=8),
        "split",
        ["no example of class", "in 6 rows", "raise data.rows"],
    ),
    (
        "no validation",
        settings("data", rows=1),
        "split",
        ["params.yaml, data.validation_fraction", "1 rows"],
    ),
    # Settings
    (
        "fraction",
        settings("data", validation_fraction=1.5),
        "split",
        ["params.yaml, data.validation_fraction", "found 1.5", "expected less than 1"],
    ),
    (
        "unknown key",
        settings("data", rwos=5),
        "split",
        ["params.yaml, data.rwos", "an unknown key"],
    ),
    (
        "wrong type",
        settings("data", rows="ten"),
        "split",
        ["params.yaml, data.rows", "found 'ten'", "integer"],
    ),
    (
        "missing key",
        settings("data", seed=...),
        "split",
        ["params.yaml, data.seed", "found nothing"],
    ),
    (
        "no YAML",
        settings_file(b"data:\n  source: [csv\nrows: 3\n"),
        "split",
        ["params.yaml, line 3", "YAML"],
    ),
    ("binary settings", settings_file(b"\xff\xfe\0"), "split", ["params.yaml", "no UTF-8"]),
    ("empty settings", settings_file(b""), "split", ["params.yaml", "found None"]),
    (
        "no settings",
        lambda workspace: (workspace / "params.yaml").unlink(),
        "split",
        ["params.yaml", "no such"],
    ),
    (
        "endless settings",
        settings_file(b"data: " + b"[" * 100_000),
        "split",
        ["params.yaml, line 1", "more than 50 levels"],
    ),
    (
        "late snapshot",
        settings("train", "linear", snapshots=[10, 1001]),
        "train linear",
        ["params.yaml, train.linear", "a snapshot at step 1001 of 1000", "up to the last step"],
    ),
    (
        "periods",
        settings("train", "linear", periods=7),
        "train linear",
        ["params.yaml, train.linear", "7 periods of 1000 steps", "a multiple of periods"],
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
        "pixel 0",
        settings("explore", pixel=0),
        "explore",
        ["params.yaml, explore.pixel", "found 0", "greater than 0"],
    ),
    # Command line
    ("no model", lambda _: None, "train", ["command line", "0 arguments", "expected model"]),
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
    fault: Fault, stage: str, pieces: list[str], finished: Path, server: Server
) -> None:
    fault(finished)
    catalogue = finished / "data/sources.yaml"
    if catalogue.exists():
        catalogue.write_text(catalogue.read_text().replace("SERVER", server.url))
    server.pages |= {"/portal.csv": b"<!DOCTYPE html><title>Log in</title>", "/empty.csv": b""}
    before = contents(finished)

    ended = run_stage(*stage.split(), workspace=finished)

    assert re.fullmatch("error: .+\n", ended.stderr), ended.stderr
    for piece in pieces:
        assert piece in ended.stderr
    assert ended.returncode == 1
    assert contents(finished) == before


def test_every_wrong_key_has_a_line(finished: Path) -> None:
    settings("data", rows="ten", validation_fraction=1.5)(finished)
    ended = run_stage("split", workspace=finished)
    assert ended.returncode == 1
    assert [line.split(";")[0] for line in ended.stderr.splitlines()] == [
        "error: params.yaml, data.rows: found 'ten', expected a valid integer",
        "error: params.yaml, data.validation_fraction: found 1.5, expected less than 1",
    ]


def test_without_a_fault_the_stages_run_and_say_nothing_on_stderr(finished: Path) -> None:
    for stage in ("download", "split"):
        ended = run_stage(stage, workspace=finished)
        assert (ended.returncode, ended.stderr) == (0, "")
    assert contents(finished / "data/raw") == {"train.csv": tiny.csv_bytes(TRAIN)}
    assert sorted(contents(finished / "data/splits")) == ["test.npz", "train.npz", "validation.npz"]


def test_what_is_odd_is_told_and_nothing_stops(finished: Path) -> None:
    twice = tiny.csv_bytes(TRAIN.take(np.arange(200) % 100))
    (finished / "data/raw/train.csv").write_bytes(twice)
    sources(finished, csv=entry("csv", train={"urls": ["published/train.csv"]}))
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
    assert contents(finished / "data/raw") == {"train.csv": expected}
