"""Classify pictures with a trained network: digits predict"""

import csv
import io
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from tabulate import tabulate
from tqdm import tqdm

from digits.cli.framing import frame
from digits.cli.output import show
from digits.cli.state import MAKE_RUN, mixed_model, warn
from digits.core.errors import InputError
from digits.core.model_input import ModelInput
from digits.evaluate.inference import logits

FORMATS = ("PNG", "JPEG", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
STDIN = "-"
#: A larger picture is refused before it is unpacked.
MOST_PIXELS = 50_000_000


class Prediction(NamedTuple):
    """The answer to one picture.

    Attributes:
        image: what the picture was asked for by.
        label: the likeliest class.
        probabilities: of each class, in the order of the network's answers.
        framing: what was done to the picture before the network saw it.
    """

    image: str
    label: str
    probabilities: dict[str, float]
    framing: str


def main(names: list[str], *, model: str, style: str, root: Path = Path()) -> int:
    """Print what the network says of each picture; 1 if one could not be read, else 0.

    Args:
        names: files, folders of them, or ``-`` for standard input.
        model: a folder of models/.
        style: table, json or csv.
        root: where models/ is.

    Raises:
        InputError: there is no such model, or no picture to look at.
    """
    folder = root / "models" / model
    for path in (folder / "model.tflite", folder / "input.json"):
        if not path.is_file():
            raise InputError(path, found="no such file", expected="a trained model", do=MAKE_RUN)
    warn(mixed_model(model, root))
    takes = ModelInput.load(folder / "input.json")
    found = list(_pictures(names))
    if not found:
        raise InputError(
            ", ".join(names), found="no picture", expected=" or ".join(FORMATS), do="name others"
        )
    predictions, failed = [], False
    for name in tqdm(found, unit="image", disable=None if len(found) > 1 else True):
        try:
            predictions.append(predict(name, takes, folder / "model.tflite"))
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = True
    if predictions:
        show(STYLES[style](predictions).removesuffix("\n"))
    return 1 if failed else 0


def predict(name: str, takes: ModelInput, model: Path) -> Prediction:
    """The network's answer to one picture.

    Raises:
        InputError: it is no picture, is too large or animated, or has no ink; or the network is another.
    """
    framed = frame(read_picture(name), takes)
    if framed is None:
        raise InputError(name, found="a blank picture", expected="ink on a background", do="draw something")
    scores = logits(model, framed.image[None])[0]
    if scores.shape != (len(takes.class_names),):
        raise InputError(
            model.with_name("input.json"),
            found=f"names of {len(takes.class_names)} classes",
            expected=f"{scores.size}, as the network answers",
            do="dvc repro train",
        )
    probabilities = _softmax(scores.astype(np.float64))
    named = dict(zip(takes.class_names, probabilities.tolist(), strict=True))
    return Prediction(name, max(named, key=lambda at: named[at]), named, framed.note)


def read_picture(name: str) -> Image.Image:
    """The picture in a file, or on standard input, turned as its camera says.

    Raises:
        InputError: it is none, is too large or animated.
    """
    source = io.BytesIO(sys.stdin.buffer.read()) if name == STDIN else Path(name)
    try:
        # Pillow warns of large pictures, which are refused below, and of tags that it can't read.
        with warnings.catch_warnings(action="ignore"), Image.open(source, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise _too_large(name, f"{width} × {height} pixels")
            # MPO: what phones save as .jpg, with previews behind the picture.
            if picture.format != "MPO" and (pictures := getattr(picture, "n_frames", 1)) > 1:
                raise InputError(name, found=f"{pictures} pictures", expected="one", do="save a single one")
            picture.load()
            if picture.mode == "P" and picture.palette is None:
                raise ValueError("no palette")
            ImageOps.exif_transpose(picture, in_place=True)
            return picture
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(name, found="no such file", expected="a picture", do="check the name") from None
    except Image.DecompressionBombError:
        raise _too_large(name, "too many pixels") from None
    except Exception as error:  # Pillow raises whatever it stumbles on in a damaged file
        reason = "no picture" if isinstance(error, UnidentifiedImageError) else f"a damaged one ({error})"
        raise InputError(name, found=reason, expected=" or ".join(FORMATS), do="save it as PNG") from None


def _too_large(name: str, found: str) -> InputError:
    return InputError(
        name, found=found, expected=f"at most {MOST_PIXELS // 10**6} million", do="scale it down"
    )


def _pictures(names: list[str]) -> Iterator[str]:
    """The names, and for a folder those of the pictures in it."""
    for name in names:
        if name != STDIN and Path(name).is_dir():
            yield from sorted(str(path) for path in Path(name).iterdir() if path.suffix.lower() in SUFFIXES)
        else:
            yield name


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # SciPy's takes longer to import than all the rest.
    shares = np.exp(values - values.max())
    return np.asarray(shares / shares.sum())


def _rows(predictions: list[Prediction]) -> list[list[object]]:
    """The table of the answers; its first row names the columns."""
    classes = [f"probability of {name}" for name in predictions[0].probabilities]
    rows: list[list[object]] = [
        [each.image, each.label, *each.probabilities.values(), each.framing] for each in predictions
    ]
    return [["image", "label", *classes, "framing"], *rows]


def _as_table(predictions: list[Prediction]) -> str:
    header = ["image", "label", *predictions[0].probabilities, "framing"]
    formats = ["", "", *(".3f" for _ in predictions[0].probabilities), ""]
    return tabulate(_rows(predictions)[1:], header, floatfmt=formats, disable_numparse=[0, 1])


def _as_json(predictions: list[Prediction]) -> str:
    return json.dumps([each._asdict() for each in predictions], indent=2, ensure_ascii=False) + "\n"


def _as_csv(predictions: list[Prediction]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_rows(predictions))
    return text.getvalue()


STYLES = {"table": _as_table, "json": _as_json, "csv": _as_csv}
