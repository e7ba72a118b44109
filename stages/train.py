"""Train one classifier: python -m stages.train linear|dnn"""

import math
import time
from pathlib import Path

from digits.examples import Examples
from digits.files import write_csv
from digits.framing import ModelInput
from digits.model_files import save_keras, save_onnx, save_snapshots, save_tflite
from digits.training import Period, Trained, train
from stages.params import load_params
from stages.runner import run

PERIOD = "{:6} {:6} {:10.4f} {:10.4f} {:12.4f} {:12.4f} {:10.4f} {:10.4f} {:8.0f}"


def main(model: str, root: Path = Path()) -> None:
    recipe = load_params(root).recipe(model)
    training = Examples.load(root / "data/splits/train.npz")
    validation = Examples.load(root / "data/splits/validation.npz")

    print("               -- log loss -------  - of predicted classes -  -- accuracy -------  seconds")
    print("period   step      train validation        train   validation      train validation     left")
    start = time.monotonic()

    def print_period(at: Period) -> None:
        left = (time.monotonic() - start) / at.period * (recipe.periods - at.period)
        print(PERIOD.format(at.period, at.step, *figures(at), left), flush=True)

    trained = train(recipe, training, validation, report=print_period)

    for name, shape, _ in variables(trained):
        print(f"{name}: {shape}")

    models = root / "models" / model
    save_keras(trained.model, models / "model.keras")
    save_tflite(trained.model, models / "model.tflite")
    save_onnx(trained.model, models / "model.onnx")
    save_snapshots(trained, models / "snapshots.npz")
    ModelInput.measure(training).save(models / "input.json")
    write_csv(models / "variables.csv", ["name", "shape", "numbers"], variables(trained))
    write_csv(
        models / "history.csv",
        [
            "period",
            "step",
            "train_log_loss",
            "validation_log_loss",
            "train_log_loss_of_predicted_classes",
            "validation_log_loss_of_predicted_classes",
            "train_accuracy",
            "validation_accuracy",
        ],
        [[at.period, at.step, *(f"{figure:.6f}" for figure in figures(at))] for at in trained.periods],
    )


def variables(trained: Trained) -> list[tuple[str, str, int]]:
    """What was learnt: each variable's name, shape and how many numbers it holds."""
    return [
        (variable.path, " × ".join(map(str, variable.shape)), math.prod(variable.shape))
        for variable in trained.model.trainable_variables
    ]


def figures(at: Period) -> tuple[float, float, float, float, float, float]:
    """Both log losses and accuracy, each on train and validation."""
    return (
        at.train.log_loss,
        at.validation.log_loss,
        at.train.log_loss_of_predicted_classes,
        at.validation.log_loss_of_predicted_classes,
        at.train.accuracy,
        at.validation.accuracy,
    )


if __name__ == "__main__":
    run(main)
