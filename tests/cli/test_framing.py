"""Pictures of any kind, framed as the training images are."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from digits.cli.framing import frame
from digits.core.examples import Examples
from digits.core.model_input import ModelInput
from digits.core.params import load_params
from digits.train.framing import measure_framing
from tests.cli.test_predict import MODEL_INPUT, stroke
from tests.conftest import REPOSITORY


def framed(picture: Image.Image, model_input: ModelInput = MODEL_INPUT) -> NDArray[np.uint8]:
    """The image that a network sees; there is ink in it."""
    found = frame(picture, model_input)
    assert found is not None
    return found.image


def extent(image: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the ink."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_ink_is_scaled_to_the_box_and_centred() -> None:
    found = frame(stroke(), MODEL_INPUT)
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
    found = frame(stroke(ink=ink, paper=paper), MODEL_INPUT)
    assert found is not None
    assert_array_equal(found.image, framed(stroke()))
    assert found.note.startswith(polarity)


def test_transparent_ground_is_paper() -> None:
    picture = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (20, 10, 30, 50))
    found = frame(picture, MODEL_INPUT)
    assert found is not None
    assert found.note.startswith("opaque on transparent; ink of 10 × 40")


def test_a_heavy_side_is_moved_to_the_middle() -> None:
    """The centre of mass, not that of the box, lies where the training images' lies."""
    picture = stroke((100, 100), (10, 10, 30, 90))
    picture.paste((0, 0, 0), (30, 10, 60, 20))
    image = framed(picture)
    assert image.sum(axis=0) / image.sum() @ (np.arange(28) + 0.5) == pytest.approx(14, abs=0.51)


@pytest.mark.parametrize("paper", [0, 255])
def test_a_picture_of_the_networks_own_size_is_taken_as_it_is(paper: int) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[3:9, 5:7] = np.arange(12, dtype=np.uint8).reshape(6, 2) * 20
    found = frame(Image.fromarray(np.abs(image.astype(int) - paper).astype(np.uint8)), MODEL_INPUT)
    assert found is not None
    assert_array_equal(found.image, image)


def test_a_blank_picture_has_no_ink() -> None:
    assert frame(stroke(ink=(250, 250, 250)), MODEL_INPUT) is None


def seven(left: int = 75) -> NDArray[np.uint8]:
    """A dark seven of 50 × 80 pixels on a light sheet of 200 × 200."""
    sheet = Image.new("L", (200, 200), 240)
    way = [(left, 60), (left + 50, 60), (left + 15, 140)]
    ImageDraw.Draw(sheet).line(way, fill=20, width=9, joint="curve")
    return np.asarray(sheet)


DOWN, RIGHT = np.mgrid[0:200, 0:200]
LINES = np.where((DOWN + RIGHT // 40) % 23 < 2, 150, 255)
EDGE = np.minimum.reduce([DOWN, RIGHT, 199 - DOWN, 199 - RIGHT])
PHOTOS = {
    "light falls": seven() * (1 - RIGHT / 400),
    "dark corners": seven() * (1 - ((DOWN / 200 - 0.5) ** 2 + (RIGHT / 200 - 0.5) ** 2)),
    "shadow": seven() * np.where(DOWN + RIGHT < 180, 0.6, 1),
    "noise": seven() * np.random.default_rng(0).normal(0.9, 0.04, (200, 200)),
    "lines": np.minimum(seven(), LINES),
    "light ink and lines": 255 - np.minimum(seven(), LINES),
    "squares": np.minimum(seven(), np.minimum(LINES, LINES.T)),
    "frame": np.where((EDGE > 5) & (EDGE < 9), 30, seven()),
    "specks": np.where((DOWN % 90 < 3) & (RIGHT % 90 < 3), 0, seven()),
    "table": np.where(EDGE < 15, 60, seven()),
    "small sheet on a table": np.pad(seven(), 100, constant_values=60),
    "far away": np.pad(seven(), 1_000, constant_values=240),
}


@pytest.mark.parametrize("photo", PHOTOS)
def test_a_photo_is_framed_as_a_drawing(photo: str) -> None:
    found = frame(Image.fromarray(PHOTOS[photo].astype(np.uint8)), MODEL_INPUT)
    assert found is not None
    assert not found.warnings
    assert np.corrcoef(found.image.ravel(), framed(Image.fromarray(seven())).ravel())[0, 1] > 0.95


def test_a_square_around_nothing_is_read_itself() -> None:
    square = np.where((EDGE > 60) & (EDGE < 70), 20, 240)
    found = frame(Image.fromarray(np.where(EDGE < 15, 60, square).astype(np.uint8)), MODEL_INPUT)
    assert found is not None
    assert found.note.startswith("dark on light; ink of 78 × 78")


@pytest.mark.parametrize(
    ("picture", "warning"),
    [
        (seven()[100:], "ink touches the picture's edge"),
        (seven()[56:145, 71:130], "ink touches the picture's edge"),
        (np.minimum(seven(20), seven(110)), "2 things are written"),
    ],
)
def test_what_is_not_one_whole_digit_has_a_warning(picture: NDArray[np.uint8], warning: str) -> None:
    found = frame(Image.fromarray(picture), MODEL_INPUT)
    assert found is not None
    assert found.warnings == (warning,)


def read(path: Path, rows: int) -> Examples:
    table = np.loadtxt(path, np.uint8, delimiter=",", max_rows=rows)
    return Examples(table[:, 1:].reshape(-1, 28, 28), table[:, 0], 255, MODEL_INPUT.class_names)


@pytest.mark.mnist
@pytest.mark.slow
def test_redrawn_digits_are_classified_almost_as_accurately(mnist: Path) -> None:
    """MNIST's own test images enlarged, shifted, recoloured, inverted and as JPEG: at most 0.02 worse."""
    from digits.train.training import train

    examples, tested = read(mnist / "mnist_train_small.csv", 7_500), read(mnist / "mnist_test.csv", 1_000)
    recipe = load_params(REPOSITORY).recipe("dnn").model_copy(update={"snapshots": []})
    model, model_input = train(recipe, examples, tested).model, measure_framing(examples)
    redrawn = np.array([framed_again(image, seed, model_input) for seed, image in enumerate(tested.images)])
    found = [model(images.astype(np.float32)).numpy().argmax(axis=1) for images in (tested.images, redrawn)]
    accuracy = [float((labels == tested.labels).mean()) for labels in found]
    assert accuracy[0] > 0.92
    assert accuracy[1] > accuracy[0] - 0.02


def framed_again(image: NDArray[np.uint8], seed: int, model_input: ModelInput) -> NDArray[np.uint8]:
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
    return framed(Image.open(jpeg), model_input)
