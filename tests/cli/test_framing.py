"""Pictures of any kind, framed as the training images are."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from digits.cli.framing import frame
from digits.cli.predict import read_picture
from digits.core.examples import Examples
from digits.core.model_input import ModelInput
from digits.split.framing import measure_framing
from digits.train.backend import keras
from tests import tiny
from tests.cli.test_predict import TAKES, stroke


def framed(picture: Image.Image, takes: ModelInput = TAKES) -> NDArray[np.uint8]:
    """The image that a network sees; there is ink in it."""
    found = frame(picture, takes)
    assert found is not None
    return found.image


def extent(image: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the ink."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_ink_is_scaled_to_the_box_and_centred() -> None:
    found = frame(stroke(), TAKES)
    assert found is not None
    assert extent(found.image) == (4, 10, 24, 17)  # 60 × 20 pixels of ink
    assert found.image.max() == 255
    assert found.note == "dark on light; ink of 60 × 20 scaled to 20 × 7, placed by its centre of mass"


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
    found = frame(stroke(ink=ink, paper=paper), TAKES)
    assert found is not None
    assert_array_equal(found.image, framed(stroke()))
    assert found.note.startswith(polarity)


@pytest.mark.parametrize("swapped", [False, True])
def test_sixteen_bits_of_grey_are_read_as_eight(swapped: bool, tmp_path: Path) -> None:
    grey = np.asarray(stroke().convert("L")).astype(np.uint16) * 150 + 20_000  # neither end is black or white
    Image.fromarray(65_535 - grey if swapped else grey).save(tmp_path / "a.png")
    assert_array_equal(framed(read_picture(str(tmp_path / "a.png"))), framed(stroke()))


def test_transparent_ground_is_paper() -> None:
    picture = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (20, 10, 30, 50))
    found = frame(picture, TAKES)
    assert found is not None
    assert found.note.startswith("dark on light; ink of 10 × 40")


def test_a_heavy_side_is_moved_to_the_middle() -> None:
    """The centre of mass, not that of the box, lies where the training images' lies."""
    picture = stroke((100, 100), (10, 10, 30, 90))
    picture.paste((0, 0, 0), (30, 10, 60, 20))
    image = framed(picture)
    assert image.sum(axis=0) / image.sum() @ (np.arange(28) + 0.5) == pytest.approx(14, abs=0.51)


def test_ink_stays_inside() -> None:
    """A box as large as the image, and a centre that would move it out."""
    image = framed(stroke(), ModelInput(8, 8, 16, ("a", "b"), 8, "mass", (0.0, 8.0)))
    assert extent(image) == (0, 0, 8, 3)
    assert image.max() == 16


@pytest.mark.parametrize("picture", [Image.new("L", (30, 30), 128), stroke(ink=(250, 250, 250))])
def test_a_blank_picture_has_no_ink(picture: Image.Image) -> None:
    assert frame(picture, TAKES) is None


def test_what_was_framed_is_measured_as_it_was_framed() -> None:
    random = np.random.default_rng(0)
    boxes = [
        (left, top, left + 10, top + random.integers(20, 45)) for left, top in random.integers(0, 40, (50, 2))
    ]
    images = np.array([framed(stroke(box=box)) for box in boxes])
    found = measure_framing(Examples(images, np.zeros(len(images), np.uint8), 255, TAKES.class_names))
    assert (found.box, found.centring) == (20, "mass")
    assert found.centre == pytest.approx((14, 14), abs=0.5)


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
    for line in STROKES[digit]:
        points = [(left + x * side, top + y * side) for x, y in line]
        draw.line(points, ink, 2 * half, joint="curve")
        for x, y in points:
            draw.ellipse((x - half, y - half, x + half, y + half), ink)
    return picture


@pytest.mark.parametrize("digit", STROKES)
def test_drawings_are_framed_alike_however_they_were_drawn(digit: str) -> None:
    plain = framed(drawn(digit, None))
    for seed in (int(digit), int(digit) + 10):
        picture = drawn(digit, seed)
        found = frame(picture, TAKES)
        assert found
        light = np.asarray(picture.convert("L"))[0, 0] > 128
        assert found.note.startswith("dark on light" if light else "light on dark")
        left, top, right, bottom = extent(found.image)
        assert max(right - left, bottom - top) == 20
        assert np.corrcoef(plain.ravel(), found.image.ravel())[0, 1] > 0.9


@pytest.fixture(scope="module")
def learnt(mnist: Path) -> tuple["keras.Model", ModelInput, Examples]:
    """The course's dense network, what it takes, and a thousand test images."""
    from digits.train.training import train

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
    return train(recipe, examples, tested).model, measure_framing(examples), tested


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
    found = labels(model, np.array([framed(drawn(str(n % 10), n), takes) for n in range(20)]))
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
    return framed(Image.open(jpeg), takes)
