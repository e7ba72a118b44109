"""Classify pictures with a trained network: digits predict"""

import csv
import io
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tabulate import tabulate
from tqdm import tqdm

from digits.cli.framing import frame
from digits.cli.output import show
from digits.cli.state import MAKE_RUN, outdated_model, warn
from digits.core.errors import InputError
from digits.core.examples import Images
from digits.core.model_input import ModelInput
from digits.core.pictures import dark_on_white
from digits.evaluate.inference import logits

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
A_PICTURE = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
STDIN = "-"
ONE_TRAINING = "Take both files from the same training"
#: A larger picture is refused before it is unpacked.
MOST_PIXELS = 50_000_000
#: An answer of a lower probability gets a warning.
SURE = 0.8
#: On smaller images, pictures are misread more often than test images, without a warning.
FEW_PIXELS = 16
#: With more classes than these, the table shows the answer's probability alone.
MOST_CLASSES = 10
#: Letters of a picture's name that the table has room for.
NAME = 34
#: In pictures of --show, each pixel that the network saw is so many pixels wide and high.
ENLARGED = 8


class NoPictureError(InputError):
    """Raised for a file that is no picture; in a folder such a file is skipped."""


class Prediction(NamedTuple):
    """The answer to one picture.

    Attributes:
        image: the picture's path, or ``-`` for standard input.
        label: the likeliest class.
        probabilities: of each class, in the order of the network's answers.
        framing: what was done to the picture before the network saw it.
        warning: why the answer may be wrong; empty if nothing speaks against it.
        seen: what the network saw, ``uint8 [height, width]``.
        actual: the class that the picture's folder is named after; empty for other folders.
    """

    image: str
    label: str
    probabilities: dict[str, float]
    framing: str
    warning: str
    seen: Images
    actual: str = ""


def main(
    names: list[str], *, model: str | Path, style: str, seen: Path | None = None, root: Path = Path()
) -> int:
    """Print what the network says of each picture; return 1 if one could not be read, else 0.

    Args:
        names: files, folders of them or of class folders, or ``-`` for standard input.
        model: the name of a folder of models/, or the path of a model.tflite.
        style: table, json or csv.
        seen: a folder to write what the network saw to.
        root: where models/ is.

    Raises:
        InputError: there is no such model, or no picture to look at.
    """
    file, settings = _model_files(model, root)
    model_input = ModelInput.load(settings)
    if seen and seen.exists() and not seen.is_dir():
        raise InputError(f"--show {seen}", "this is a file, expected a folder", "Name another")
    found = list(_pictures(names, model_input.class_names))
    predictions, skipped, problems = [], [], []
    for name, actual in tqdm(found, unit="image", disable=None if len(found) > 1 else True):
        try:
            prediction = predict(name, model_input, file)
        except InputError as error:
            if isinstance(error, NoPictureError) and name not in names:
                skipped.append(name)
            else:
                problems.append(error)
            continue
        predictions.append(prediction._replace(actual=actual))
        if seen:
            _write_seen(prediction, model_input, seen / f"{len(predictions)}_{Path(name).stem}.png")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    for each in predictions:
        warn(f"{each.image}: {each.warning}" if each.warning else "")
    if skipped:
        count, first = f"{len(skipped)} file(s) that hold no picture", skipped[0]
        print(f"note: skipped {count}, the first is {first}", file=sys.stderr)
    if predictions and min(model_input.height, model_input.width) < FEW_PIXELS:
        size = f"{model_input.width} × {model_input.height} pixels"
        print(
            f"note: {file.parent.name} sees {size}: expect more mistakes than on its test images",
            file=sys.stderr,
        )
    if predictions:
        show(STYLES[style](predictions).removesuffix("\n"))
        known = [each for each in predictions if each.actual]
        if known:
            right = sum(each.label == each.actual for each in known)
            print(f"correct: {right} of {len(known)}, {right / len(known):.1%}", file=sys.stderr)
    elif not problems:
        nothing = f"found no picture, expected {A_PICTURE}"
        raise InputError(", ".join(names), nothing, "Name other files")
    return 1 if problems else 0


def _model_files(model: str | Path, root: Path) -> tuple[Path, Path]:
    """Return the paths of a network and its input.json; an InputError if one is missing."""
    if isinstance(model, Path):
        file, fix = model, "Check the path"
    else:
        trained = sorted(path.parent.name for path in root.glob("models/*/model.tflite"))
        file = root / "models" / model / "model.tflite"
        fix = f"Run `make run`, or name one of {', '.join(trained)}" if trained else MAKE_RUN
    if not file.is_file():
        raise InputError(file, "no such file, expected a trained model", fix)
    if isinstance(model, str):
        warn(outdated_model(model, root))
    settings = file.with_name("input.json")
    if not settings.is_file():
        raise InputError(settings, f"no such file, expected it beside {file.name}", ONE_TRAINING)
    return file, settings


def predict(name: str, model_input: ModelInput, model: Path) -> Prediction:
    """Return the network's answer to one picture.

    Raises:
        InputError: it is no picture, too large, animated or blank; or input.json doesn't fit the network.
    """
    framed = frame(read_picture(name), model_input)
    if framed is None:
        raise InputError(name, "the picture is blank, expected ink on a background", "Draw something")
    scores = logits(model, framed.image[None])[0].astype(np.float64)
    if scores.shape != (len(model_input.class_names),):
        problem = f"it names {len(model_input.class_names)} classes, but the network has {scores.size}"
        raise InputError(model.with_name("input.json"), problem, ONE_TRAINING)
    powers = np.exp(scores - scores.max())  # SciPy's softmax takes longer to import than all the rest
    named = dict(zip(model_input.class_names, (powers / powers.sum()).tolist(), strict=True))
    label = max(named, key=lambda name: named[name])
    reasons = list(framed.warnings)
    if named[label] < SURE:
        reasons.append(f"unsure: {label} has a probability of {named[label]:.2f}")
    return Prediction(name, label, named, framed.note, "; ".join(reasons), framed.image)


def read_picture(name: str) -> Image.Image:
    """Return the picture in a file, or on standard input, turned as its camera says.

    Raises:
        InputError: it is no picture, is too large or animated.
    """
    if Path(name).exists() and not Path(name).is_file():
        raise InputError(name, "not a regular file, expected a picture", "Check the name")
    source = io.BytesIO(sys.stdin.buffer.read()) if name == STDIN else Path(name)
    try:
        # Pillow warns of large pictures, which are refused below, and of tags that it can't read.
        with warnings.catch_warnings(action="ignore"), Image.open(source, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise Image.DecompressionBombError
            # MPO: what phones save as .jpg, with previews behind the picture.
            if picture.format != "MPO" and (pictures := getattr(picture, "n_frames", 1)) > 1:
                raise InputError(name, f"expected one picture, found {pictures}", "Save a single one")
            picture.load()
            if picture.mode == "P" and picture.palette is None:
                raise ValueError("no palette")
            ImageOps.exif_transpose(picture, in_place=True)
            return picture
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(name, "no such file, expected a picture", "Check the name") from None
    except Image.DecompressionBombError:
        problem = f"too many pixels, expected at most {MOST_PIXELS // 10**6} million"
        raise InputError(name, problem, "Scale it down") from None
    except UnidentifiedImageError:
        problem = f"not a picture, expected {A_PICTURE}"
        raise NoPictureError(name, problem, "Save it as PNG") from None
    except Exception as error:  # Pillow raises whatever it stumbles on in a damaged file
        raise InputError(name, f"a damaged picture ({error})", "Save it again") from None


def _pictures(names: list[str], classes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield path and class of each given file, and of those in given folders and their subfolders.

    The class is the subfolder's name if it is one of ``classes``, else empty.
    """
    for name in names:
        if name == STDIN or not Path(name).is_dir():
            yield name, ""
            continue
        files = (path for pattern in ("[!.]*", "[!.]*/[!.]*") for path in Path(name).glob(pattern))
        for path in sorted(path for path in files if path.is_file()):
            inside = path.parent != Path(name) and path.parent.name in classes
            yield str(path), path.parent.name if inside else ""


def _write_seen(prediction: Prediction, model_input: ModelInput, path: Path) -> None:
    """Write what the network saw, enlarged, with dark ink on white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = dark_on_white(prediction.seen, model_input.pixel_maximum)
    picture.resize(
        (model_input.width * ENLARGED, model_input.height * ENLARGED), Image.Resampling.NEAREST
    ).save(path)


def _as_table(predictions: list[Prediction]) -> str:
    """Return the table, 120 columns wide at most with ten short class names; stderr has the warnings."""
    classes, shows_all = [*predictions[0].probabilities], len(predictions[0].probabilities) <= MOST_CLASSES
    rows = [
        [
            each.image if len(each.image) <= NAME else f"…{each.image[1 - NAME :]}",
            each.label + (" ?" if each.warning else ""),
            *(each.probabilities.values() if shows_all else [each.probabilities[each.label]]),
        ]
        for each in predictions
    ]
    heads = ["image", "label", *(classes if shows_all else ["probability"])]
    note = f"\n\n{predictions[0].framing}" if len(predictions) == 1 else ""
    options: dict[str, Any] = {"floatfmt": ".3f", "disable_numparse": [0, 1]}
    return tabulate(rows, heads, maxheadercolwidths=8, **options) + note


def _records(predictions: list[Prediction]) -> list[dict[str, Any]]:
    return [{key: value for key, value in each._asdict().items() if key != "seen"} for each in predictions]


def _as_json(predictions: list[Prediction]) -> str:
    return json.dumps(_records(predictions), indent=2, ensure_ascii=False)


def _as_csv(predictions: list[Prediction]) -> str:
    text, rows = io.StringIO(), []
    for record in _records(predictions):
        probabilities = record.pop("probabilities")
        rows.append(record | {f"probability of {name}": value for name, value in probabilities.items()})
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    # A spreadsheet would run a name that begins with = as a formula.
    writer.writerows(
        {key: f"'{value}" if str(value).startswith("=") else value for key, value in row.items()}
        for row in rows
    )
    return text.getvalue()


STYLES = {"table": _as_table, "json": _as_json, "csv": _as_csv}
