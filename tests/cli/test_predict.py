"""``digits predict``: its answers for pictures, and its errors for other files."""

import csv
import io
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from digits.cli.framing import frame
from digits.cli.predict import STYLES, main, predict, read_picture
from digits.core.errors import InputError
from digits.core.model_input import ModelInput
from digits.evaluate.inference import logits
from digits.train.export import save_tflite
from digits.train.network import build
from tests import tiny
from tests.conftest import REPOSITORY

#: As MNIST's: 20 × 20 in 28 × 28.
MODEL_INPUT = ModelInput(28, 28, 255, tuple("0123456789"), 20, "mass", (14.0, 14.0))


def stroke(
    size: tuple[int, int] = (120, 90),
    box: tuple[int, int, int, int] = (20, 30, 80, 50),
    ink: tuple[int, int, int] = (0, 0, 0),
    paper: tuple[int, int, int] = (255, 255, 255),
) -> Image.Image:
    """A filled rectangle ``left, top, right, bottom`` on a plain ground."""
    picture = Image.new("RGB", size, paper)
    picture.paste(ink, box)
    return picture


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a network ``dnn``, untrained."""
    folder = tmp_path / "models/dnn"
    folder.mkdir(parents=True)
    recipe = tiny.recipe(hidden_units=[5])
    save_tflite(build(recipe, height=28, width=28, pixel_maximum=255, classes=10), folder / "model.tflite")
    MODEL_INPUT.save(folder / "input.json")
    return tmp_path


def test_the_answer_is_the_networks(root: Path) -> None:
    stroke().save(root / "stroke.png")
    framed = frame(stroke(), MODEL_INPUT)
    assert framed is not None
    scores = logits(root / "models/dnn/model.tflite", framed.image[None])[0]
    found = predict(str(root / "stroke.png"), MODEL_INPUT, root / "models/dnn/model.tflite")
    expected = np.exp(scores) / np.exp(scores).sum()
    assert list(found.probabilities.values()) == pytest.approx(expected.tolist(), rel=1e-5)
    assert found.label == str(scores.argmax())


def test_a_folder_is_predicted_in_each_format(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures are found by content, not name; in a folder named like a class, right answers are counted."""
    (root / "in/3").mkdir(parents=True)
    for name, kind in (("a.jfif", "JPEG"), ("b", "PNG"), ("3/c.webp", "WEBP")):
        stroke().save(root / "in" / name, kind)
    (root / "in/notes.png").write_text("no picture")
    names = [str(root / "in" / name) for name in ("3/c.webp", "a.jfif", "b")]
    assert main([str(root / "in")], model="dnn", style="json", seen=root / "seen", root=root) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert [(answer["image"], answer["actual"]) for answer in found] == list(
        zip(names, ("3", "", ""), strict=True)
    )
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1)
    assert "note: skipped 1 file(s)" in printed.err
    assert f"correct: {int(found[0]['label'] == '3')} of 1" in printed.err
    assert {path.name for path in (root / "seen").iterdir()} == {"1_c.png", "2_a.png", "3_b.png"}
    assert main([str(root / "in")], model="dnn", style="csv", root=root) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["image"], row["label"]) for row in rows] == [
        (answer["image"], answer["label"]) for answer in found
    ]
    assert main(names[:1], model="dnn", style="table", root=root) == 0
    printed = capsys.readouterr()
    assert "dark on light; ink of 60 × 20" in printed.out
    assert max(map(len, printed.out.splitlines())) <= 120
    assert "c.webp: unsure: " in printed.err


def test_a_name_is_no_formula_of_a_spreadsheet(root: Path) -> None:
    stroke().save(root / "x.png")
    found = predict(str(root / "x.png"), MODEL_INPUT, root / "models/dnn/model.tflite")
    assert "\n'=1+1," in STYLES["csv"]([found._replace(image="=1+1")])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_no_picture(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(InputError, match="pipe: not a regular file"):
        read_picture(str(root / "pipe"))


def test_one_bad_picture_stops_no_other(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stroke().save(root / "good.png")
    (root / "bad.png").write_bytes(b"no picture")
    assert main([str(root / "bad.png"), str(root / "good.png")], model="dnn", style="csv", root=root) == 1
    printed = capsys.readouterr()
    assert printed.out.count("good.png") == 1
    assert "bad.png: not a picture" in printed.err


def with_size(png: bytes, side: int) -> bytes:
    """The PNG with another size in its header, whose checksum is right."""
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


def test_bad_pictures_are_reported(root: Path) -> None:
    png = io.BytesIO()
    stroke().save(png, "PNG")
    content = png.getvalue()
    vast, nothing = (with_size(content, side) for side in (20_000, 0))
    frames = [Image.new("L", (9, 9), shade) for shade in (0, 255)]
    frames[0].save(root / "animated.png", save_all=True, append_images=frames[1:])
    Image.new("L", (9, 9)).save(root / "blank.png")
    Image.new("L", (9, 9)).save(root / "picture.ico")
    (root / "vast.png").write_bytes(vast)
    (root / "nothing.png").write_bytes(nothing)
    (root / "large.png").write_bytes(with_size(content, 8_000))
    (root / "cut.png").write_bytes(content[: len(content) // 2])
    (root / "empty.png").write_bytes(b"")
    for name, piece in {
        "animated.png": "expected one picture, found 2",
        "blank.png": "the picture is blank, expected ink",
        "picture.ico": "not a picture, expected PNG, JPEG, BMP, GIF",
        "vast.png": "too many pixels, expected at most 50 million",
        "large.png": "too many pixels, expected at most 50 million",
        "nothing.png": "not a picture",
        "cut.png": "a damaged picture",
        "empty.png": "not a picture",
        "none.png": "no such file",
    }.items():
        with pytest.raises(InputError) as caught:
            predict(str(root / name), MODEL_INPUT, root / "models/dnn/model.tflite")
        assert f"{name}: {piece}" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_error_for_a_missing_model_says_what_makes_one(root: Path) -> None:
    with pytest.raises(InputError, match=r"models/linear/model\.tflite: no such file.*make run"):
        main(["x.png"], model="linear", style="table", root=root)
    (root / "models/dnn/input.json").write_text("{}")
    with pytest.raises(InputError, match=r"input\.json: damaged"):
        main(["x.png"], model="dnn", style="table", root=root)
    MODEL_INPUT.save(root / "models/dnn/input.json")
    (root / "empty").mkdir()
    with pytest.raises(InputError, match="found no picture"):
        main([str(root / "empty")], model="dnn", style="table", root=root)


def test_a_model_file_needs_its_input_beside_it(root: Path) -> None:
    file = root / "models/dnn/model.tflite"
    file.with_name("input.json").unlink()
    with pytest.raises(InputError, match=r"input\.json: no such file, expected it beside model\.tflite"):
        main(["x.png"], model=file, style="table")
    with pytest.raises(InputError, match=r"none: no such file, expected a trained model. Check the path"):
        main(["x.png"], model=root / "none", style="table")


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right
    stroke().save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(str(tmp_path / "turned.jpg")).size == (90, 120)


def test_the_command_reads_standard_input_without_tensorflow(root: Path) -> None:
    png = io.BytesIO()
    stroke().save(png, "PNG")
    words = [sys.executable, "-X", "importtime", "-m", "digits", "predict", "-", "--format", "json"]
    words += ["--model-file", "models/dnn/model.tflite"]
    process = subprocess.run(
        words, cwd=root, env={"PYTHONPATH": str(REPOSITORY)}, input=png.getvalue(), capture_output=True
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)[0]["image"] == "-"
    imported = {line.rpartition(b"|")[2].strip() for line in process.stderr.splitlines()}
    assert b"ai_edge_litert.interpreter" in imported
    assert not imported & {b"tensorflow", b"keras", b"scipy", b"pandas", b"dvc", b"sklearn"}
