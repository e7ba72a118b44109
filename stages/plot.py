"""Draw what one classifier learnt and where it errs: python -m stages.plot linear|dnn"""

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from matplotlib.figure import Figure

from digits import figures
from digits.calibration import bins
from digits.errors import InputError
from digits.examples import Examples
from digits.files import read_csv, replacing_folder, write_csv
from digits.predictions import Predicted
from digits.weights import judge
from stages.params import Plot, load_params
from stages.runner import run


def main(model: str, root: Path = Path()) -> None:
    params = load_params(root).plot
    models, predictions = root / "models" / model, root / "predictions" / model
    validation = Examples.load(root / "data/splits/validation.npz")

    with replacing_folder(root / "plots" / model) as folder:
        history = read_csv(models / "history.csv")
        curves = figures.training_curves(
            {name: list(map(float, values)) for name, values in history.items()}, model
        )
        figures.save(curves, folder / "training_curves.png")

        confidence = {}
        names = validation.class_names
        for split in ("validation", "test"):
            answers = Predicted.load(predictions / f"{split}.csv", names)
            figure = figures.confusion(answers.confusion(len(names)), names, f"{model}: confusion on {split}")
            figures.save(figure, folder / f"confusion_{split}.png")
            confidence[split] = bins(answers.confidence, answers.right)
            if split == "validation":
                figures.save(worst_mistakes(model, validation, answers, params), folder / "mistakes.png")

        calibration = figures.calibration(confidence, f"{model}: calibration")
        figures.save(calibration, folder / "calibration.png")
        draw_weights(model, models / "snapshots.npz", validation, params, folder)
    print(f"plots/{model}: {len(list((root / 'plots' / model).glob('*.png')))} figures")


def draw_weights(model: str, snapshots: Path, examples: Examples, params: Plot, folder: Path) -> None:
    """A figure of the first layer for each snapshot, and what is said of its units as a table."""
    try:
        with snapshots.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            steps, layer = archive["steps"].tolist(), archive["layer"]
            kept = list(zip(steps, archive["weights"], archive["biases"], strict=True))
    except (BadZipFile, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise InputError(
            snapshots, found=f"a damaged file ({error})", expected="snapshots", do="dvc repro train"
        ) from None
    names = examples.class_names
    table = []
    for step, weights, biases in kept:
        title = f"{model}: weights of the first layer after {step} steps"
        if layer == "logits":  # no hidden layer: a template for each class
            figure = figures.weight_pictures(weights, names, title)
        else:
            units = judge(weights, biases, examples.images, examples.pixel_maximum)
            verdicts = units.verdicts(noise_below=params.noise_below, alike_above=params.alike_above)
            figure = figures.unit_pictures(weights, verdicts, title)
            table += [
                (step, unit, verdicts[unit], *(f"{float(value):.4f}" for value in measures), twin)
                for unit, (*measures, twin) in enumerate(
                    zip(units.smoothness, units.active, units.similarity, units.twin, strict=True)
                )
            ]
        figures.save(figure, folder / f"weights_{step}.png")
    if table:
        header = [
            "step",
            "unit",
            "verdict",
            "smoothness",
            "active",
            "similarity",
            "most_similar_unit",
        ]
        write_csv(folder / "units.csv", header, table)


def worst_mistakes(model: str, examples: Examples, answers: Predicted, params: Plot) -> Figure:
    """The gallery of the errors of which the network was surest."""
    names = examples.class_names
    wrong = answers.surest_mistakes()
    worst = wrong[: params.mistakes]
    captions = [
        f"{names[answers.actual[row]]}, taken for {names[answers.predicted[row]]}\n"
        f"with {answers.confidence[row]:.0%}"
        for row in worst
    ]
    title = f"{model}: {len(wrong)} of {len(examples)} validation examples wrong, the surest first"
    return figures.mistakes(examples.images[worst], captions, examples.pixel_maximum, title)


if __name__ == "__main__":
    run(main)
