"""Pictures framed as the training images, and python -m digits predict."""

import csv
import io
import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from commands.predict import main, predict, read_picture
from digits.backend import keras
from digits.errors import InputError
from digits.examples import Examples
from digits.framing import ModelInput, frame
from digits.inference import logits
from digits.model_files import save_tflite
from digits.training import build
from tests import tiny
from tests.conftest import REPOSITORY

#: As MNIST's: 20 × 20 in 28 × 28.
TAKES = ModelInput(28, 28, 255, tuple("0123456789"), 20, "mass", (14.0, 14.0))


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


def extent(image: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the ink."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_ink_is_scaled_to_the_box_and_centred() -> None:
    framed = frame(stroke(), TAKES)
    assert framed is not None
    left, top, right, bottom = extent(framed.image)
    assert (right - left, bottom - top) == (20, 7)  # 60 × 20 pixels of ink
    assert (left, top) == (4, 10)
    assert framed.image.max() == 255
    assert framed.note == "dark on light; ink of 60 × 20 scaled to 20 × 7, placed by its centre of mass"


@pytest.mark.parametrize(
    ("ink", "paper", "polarity"),
    [
        ((255, 255, 255), (0, 0, 0), "light on dark"),
        ((20, 20, 90), (200, 220, 255), "dark on light"),
        ((255, 0, 0), (0, 130, 0), "light on dark"),  # about the same grey
    ],
)
def test_colours_and_polarity_do_not_matter(
    ink: tuple[int, int, int], paper: tuple[int, int, int], polarity: str
) -> None:
    plain, framed = frame(stroke(), TAKES), frame(stroke(ink=ink, paper=paper), TAKES)
    assert plain is not None
    assert framed is not None
    assert_array_equal(framed.image, plain.image)
    assert framed.note.startswith(polarity)


def test_size_and_place_do_not_matter() -> None:
    one, other = frame(stroke(), TAKES), frame(stroke((700, 400), (300, 10, 540, 90)), TAKES)
    assert one is not None
    assert other is not None
    assert np.abs(one.image.astype(int) - other.image).max() <= 2


@pytest.mark.parametrize("swapped", [False, True])
def test_sixteen_bits_of_grey_are_read_as_eight(swapped: bool, tmp_path: Path) -> None:
    grey = np.asarray(stroke().convert("L")).astype(np.uint16) * 150 + 20_000  # neither end is black or white
    Image.fromarray(65_535 - grey if swapped else grey).save(tmp_path / "a.png")
    found, plain = frame(read_picture(str(tmp_path / "a.png")), TAKES), frame(stroke(), TAKES)
    assert found
    assert plain
    assert_array_equal(found.image, plain.image)


def test_transparent_ground_is_paper() -> None:
    picture = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (20, 10, 30, 50))
    framed = frame(picture, TAKES)
    assert framed is not None
    assert framed.note.startswith("dark on light; ink of 10 × 40")


def test_a_heavy_side_is_moved_to_the_middle() -> None:
    """The centre of mass, not that of the box, lies where the training images' lies."""
    picture = stroke((100, 100), (10, 10, 30, 90))
    picture.paste((0, 0, 0), (30, 10, 60, 20))
    framed = frame(picture, TAKES)
    assert framed is not None
    columns = framed.image.sum(axis=0) / framed.image.sum()
    assert columns @ (np.arange(28) + 0.5) == pytest.approx(14, abs=0.51)


def test_ink_stays_inside() -> None:
    """A box as large as the image, and a centre that would move it out."""
    takes = ModelInput(8, 8, 16, ("a", "b"), 8, "mass", (0.0, 8.0))
    framed = frame(stroke(), takes)
    assert framed is not None
    assert extent(framed.image) == (0, 0, 8, 3)
    assert framed.image.max() == 16


def test_a_blank_picture_has_no_ink() -> None:
    assert frame(Image.new("L", (30, 30), 128), TAKES) is None
    assert frame(stroke(ink=(250, 250, 250)), TAKES) is None


def framed_like_mnist(n: int) -> Examples:
    """Random strokes as MNIST would hold them."""
    random = np.random.default_rng(0)
    images = []
    for _ in range(n):
        left, top = random.integers(0, 40, 2)
        framed = frame(stroke(box=(left, top, left + 10, top + random.integers(20, 45))), TAKES)
        assert framed is not None
        images.append(framed.image)
    return Examples(np.array(images), np.zeros(n, np.uint8), 255, TAKES.class_names)


def test_the_framing_is_measured_on_the_training_images(tmp_path: Path) -> None:
    found = ModelInput.measure(framed_like_mnist(50))
    assert (found.box, found.centring) == (20, "mass")
    assert found.centre == pytest.approx((14, 14), abs=0.5)
    found.save(tmp_path / "input.json")
    assert ModelInput.load(tmp_path / "input.json") == found


def test_measuring_images_without_any_ink() -> None:
    blank = Examples(np.zeros((3, 5, 4), np.uint8), np.zeros(3, np.uint8), 16, ("a", "b"))
    assert ModelInput.measure(blank).box == 5


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a network ``dnn``, untrained."""
    folder = tmp_path / "models/dnn"
    folder.mkdir(parents=True)
    recipe = tiny.recipe(hidden_units=[5])
    save_tflite(build(recipe, height=28, width=28, pixel_maximum=255, classes=10), folder / "model.tflite")
    TAKES.save(folder / "input.json")
    return tmp_path


def test_the_answer_is_the_networks(root: Path) -> None:
    stroke().save(root / "stroke.png")
    framed = frame(stroke(), TAKES)
    assert framed is not None
    scores = logits(root / "models/dnn/model.tflite", framed.image[None])[0]
    found = predict(str(root / "stroke.png"), TAKES, root / "models/dnn/model.tflite")
    expected = np.exp(scores) / np.exp(scores).sum()
    assert list(found.probabilities.values()) == pytest.approx(expected.tolist(), rel=1e-5)
    assert found.label == str(scores.argmax())


def test_a_folder_in_each_format(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "in").mkdir()
    for name in ("b.bmp", "a.png", "c.JPG"):
        stroke().save(root / "in" / name)
    (root / "in/notes.txt").write_text("no picture")
    names = [str(root / "in" / name) for name in ("a.png", "b.bmp", "c.JPG")]
    assert main([str(root / "in")], model="dnn", style="json", root=root) == 0
    found = json.loads(capsys.readouterr().out)
    assert [at["image"] for at in found] == names
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1)
    assert main([str(root / "in")], model="dnn", style="csv", root=root) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["image"], row["label"]) for row in rows] == [(at["image"], at["label"]) for at in found]
    assert main(names, model="dnn", style="table", root=root) == 0
    table = capsys.readouterr().out
    assert "dark on light" in table
    assert all(name in table for name in names)


def test_one_bad_picture_stops_no_other(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stroke().save(root / "good.png")
    (root / "bad.png").write_bytes(b"no picture")
    assert main([str(root / "bad.png"), str(root / "good.png")], model="dnn", style="csv", root=root) == 1
    printed = capsys.readouterr()
    assert printed.out.count("good.png") == 1
    assert "bad.png: found no picture" in printed.err


def with_size(png: bytes, side: int) -> bytes:
    """The PNG with another size in its header, whose checksum is right."""
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


def test_bad_pictures_are_named(root: Path) -> None:
    png = io.BytesIO()
    stroke().save(png, "PNG")
    content = png.getvalue()
    vast, nothing = (with_size(content, side) for side in (20_000, 0))
    frames = [Image.new("L", (9, 9), shade) for shade in (0, 255)]
    frames[0].save(root / "animated.png", save_all=True, append_images=frames[1:])
    Image.new("L", (9, 9)).save(root / "blank.png")
    Image.new("L", (9, 9)).save(root / "picture.gif")
    (root / "vast.png").write_bytes(vast)
    (root / "nothing.png").write_bytes(nothing)
    (root / "large.png").write_bytes(with_size(content, 8_000))
    (root / "cut.png").write_bytes(content[: len(content) // 2])
    (root / "empty.png").write_bytes(b"")
    for name, piece in {
        "animated.png": "found 2 pictures, expected one",
        "blank.png": "found a blank picture, expected ink",
        "picture.gif": "found no picture, expected PNG or JPEG or BMP",
        "vast.png": "found too many pixels, expected at most 50 million",
        "large.png": "found 8000 × 8000 pixels, expected at most 50 million",
        "nothing.png": "found",
        "cut.png": "found a damaged one",
        "empty.png": "found no picture",
        "none.png": "found no such file",
    }.items():
        with pytest.raises(InputError) as caught:
            predict(str(root / name), TAKES, root / "models/dnn/model.tflite")
        assert f"{name}: {piece}" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_without_a_model_it_is_said_what_makes_one(root: Path) -> None:
    with pytest.raises(InputError, match=r"models/linear/model\.tflite: found no such file.*make run"):
        main(["x.png"], model="linear", style="table", root=root)
    (root / "models/dnn/input.json").write_text("{}")
    with pytest.raises(InputError, match=r"input\.json: found a damaged file"):
        main(["x.png"], model="dnn", style="table", root=root)
    TAKES.save(root / "models/dnn/input.json")
    (root / "empty").mkdir()
    with pytest.raises(InputError, match="found no picture"):
        main([str(root / "empty")], model="dnn", style="table", root=root)


def test_a_camera_says_which_side_is_up(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right
    stroke().save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(str(tmp_path / "turned.jpg")).size == (90, 120)


def test_the_command_reads_standard_input_without_tensorflow(root: Path) -> None:
    png = io.BytesIO()
    stroke().save(png, "PNG")
    words = [sys.executable, "-X", "importtime", "-m", "digits", "predict", "-", "--format", "json"]
    process = subprocess.run(
        words, cwd=root, env={"PYTHONPATH": str(REPOSITORY)}, input=png.getvalue(), capture_output=True
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)[0]["image"] == "-"
    imported = {line.rpartition(b"|")[2].strip() for line in process.stderr.splitlines()}
    assert b"ai_edge_litert.interpreter" in imported
    assert not imported & {b"tensorflow", b"keras", b"scipy", b"pandas", b"dvc", b"sklearn"}


#: Digits as strokes: points in a box of one by one, from the upper left.
STROKES: dict[str, list[list[tuple[float, float]]]] = {
    "0": [[(0.5, 0), (0.15, 0.2), (0.1, 0.7), (0.45, 1), (0.85, 0.8), (0.9, 0.3), (0.5, 0)]],
    "1": [[(0.5, 0), (0.5, 1)]],
    "2": [[(0.1, 0.2), (0.5, 0), (0.9, 0.2), (0.8, 0.5), (0.1, 1), (0.95, 1)]],
    "3": [[(0.1, 0.05), (0.6, 0), (0.85, 0.2), (0.45, 0.45), (0.9, 0.7), (0.55, 1), (0.1, 0.9)]],
    "4": [[(0.25, 0), (0.1, 0.55), (0.9, 0.5)], [(0.75, 0.05), (0.7, 1)]],
    "5": [[(0.85, 0), (0.25, 0), (0.2, 0.4), (0.75, 0.5), (0.8, 0.85), (0.4, 1), (0.1, 0.9)]],
    "6": [[(0.7, 0), (0.25, 0.4), (0.15, 0.8), (0.5, 1), (0.8, 0.8), (0.6, 0.55), (0.2, 0.7)]],
    "7": [[(0.1, 0.05), (0.9, 0), (0.4, 1)]],
    "8": [[(0.5, 0.5), (0.2, 0.25), (0.5, 0), (0.8, 0.2), (0.2, 0.75), (0.5, 1), (0.8, 0.75), (0.5, 0.5)]],
    "9": [[(0.8, 0.25), (0.4, 0.45), (0.2, 0.2), (0.55, 0), (0.8, 0.2), (0.75, 1)]],
}


def drawn(digit: str, seed: int | None) -> Image.Image:
    """A digit drawn by hand: black in the middle of white, or by ``seed`` anyhow."""
    random = np.random.default_rng(seed)
    side, left, top, size = 200, 60, 60, (320, 320)
    ink, paper = (0, 0, 0), (255, 255, 255)
    if seed is not None:
        side = int(random.integers(60, 400))
        size = (side + int(random.integers(80, 300)), side + int(random.integers(80, 300)))
        left, top = (int(random.integers(30, length - side - 30)) for length in size)
        dark, light = ((low + 20, low + 60, low + int(random.integers(90))) for low in (0, 165))
        ink, paper = (dark, light) if random.random() < 0.5 else (light, dark)
    picture = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(picture)
    half = side // 22
    for stroke in STROKES[digit]:
        points = [(left + x * side, top + y * side) for x, y in stroke]
        draw.line(points, ink, 2 * half, joint="curve")
        for x, y in points:
            draw.ellipse((x - half, y - half, x + half, y + half), ink)
    return picture


@pytest.mark.parametrize("number", range(20))
def test_drawings_are_framed_alike_however_they_were_drawn(number: int) -> None:
    digit = str(number % 10)
    picture = drawn(digit, number)
    plain, found = frame(drawn(digit, None), TAKES), frame(picture, TAKES)
    assert plain
    assert found
    light = np.asarray(picture.convert("L"))[0, 0] > 128
    assert found.note.startswith("dark on light" if light else "light on dark")
    left, top, right, bottom = extent(found.image)
    assert max(right - left, bottom - top) == 20
    assert np.corrcoef(plain.image.ravel(), found.image.ravel())[0, 1] > 0.9


@pytest.fixture(scope="module")
def learnt(mnist: Path) -> tuple["keras.Model", ModelInput, Examples]:
    """The course's dense network, what it takes, and a thousand test images."""
    from digits.training import train

    def read(name: str, rows: int) -> Examples:
        table = np.loadtxt(mnist / name, np.uint8, delimiter=",", max_rows=rows)
        images = table[:, 1:].reshape(-1, 28, 28)
        return Examples(images, table[:, 0], 255, TAKES.class_names)

    examples, tested = read("mnist_train_small.csv", 7_500), read("mnist_test.csv", 1_000)
    recipe = tiny.recipe(
        hidden_units=[100, 100],
        optimizer="adagrad",
        learning_rate=0.05,
        clip_norm=5.0,
        batch_size=30,
        steps=1_000,
        periods=1,
    )
    return train(recipe, examples, tested).model, ModelInput.measure(examples), tested


def labels(model: "keras.Model", images: NDArray[np.uint8]) -> NDArray[np.intp]:
    return np.asarray(model(images.astype(np.float32)).numpy().argmax(axis=1))


@pytest.mark.mnist
@pytest.mark.slow
def test_redrawn_digits_are_read_as_well(learnt: tuple["keras.Model", ModelInput, Examples]) -> None:
    """MNIST's own test images enlarged, shifted, recoloured, inverted and as JPEG: at most 0.02 worse."""
    model, takes, tested = learnt
    redrawn = np.array([framed_again(image, number, takes) for number, image in enumerate(tested.images)])
    accuracy = [float((labels(model, images) == tested.labels).mean()) for images in (tested.images, redrawn)]
    assert accuracy[0] > 0.92
    assert accuracy[1] > accuracy[0] - 0.02


@pytest.mark.mnist
@pytest.mark.slow
def test_drawings_are_read(learnt: tuple["keras.Model", ModelInput, Examples]) -> None:
    """However they were drawn, and though no strokes like these were learnt: most of twenty."""
    model, takes, _ = learnt
    framed = [frame(drawn(str(number % 10), number), takes) for number in range(20)]
    found = labels(model, np.array([at.image for at in framed if at]))
    assert len(found) == 20
    assert (found == np.arange(20) % 10).sum() >= 16


def framed_again(image: NDArray[np.uint8], seed: int, takes: ModelInput) -> NDArray[np.uint8]:
    """The image as somebody may have drawn and saved it, framed."""
    random = np.random.default_rng(seed)
    side = int(28 * random.uniform(2, 8))
    ink = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)) / 255
    canvas = np.zeros((side + random.integers(200), side + random.integers(200)))
    top, left = (random.integers(length - side + 1) for length in canvas.shape)
    canvas[top : top + side, left : left + side] = ink
    colour, paper = random.integers(0, 256, 3), random.integers(0, 256, 3)
    while np.abs(colour - paper).max() < 100:
        colour = random.integers(0, 256, 3)
    painted = np.rint(paper + canvas[..., None] * (colour - paper)).astype(np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(painted).save(jpeg, "JPEG", quality=int(random.integers(50, 95)))
    framed = frame(Image.open(jpeg), takes)
    assert framed is not None
    return framed.image
