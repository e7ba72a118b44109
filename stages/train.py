"""Train one classifier: python -m stages.train linear|dnn"""

import math
import time
from pathlib import Path

from digits.checkpoint import Checkpoint
from digits.examples import Examples
from digits.files import replacing_in, write_csv
from digits.framing import ModelInput
from digits.model_files import save_keras, save_onnx, save_snapshots, save_tflite
from digits.training import Period, Trained, train
from stages.params import load_params
from stages.runner import run

PERIOD = "{:6} {:6} {:10.4f} {:10.4f} {:12.4f} {:12.4f} {:10.4f} {:10.4f} {:>8}"
HISTORY = [
    "period",
    "step",
    "train_log_loss",
    "validation_log_loss",
    "train_log_loss_of_predicted_classes",
    "validation_log_loss_of_predicted_classes",
    "train_accuracy",
    "validation_accuracy",
]


def main(model: str, root: Path = Path()) -> None:
    recipe = load_params(root).recipe(model)
    training = Examples.load(root / "data/splits/train.npz")
    validation = Examples.load(root / "data/splits/validation.npz")

    models = root / "models" / model
    checkpoint = Checkpoint(models / "checkpoint.npz", recipe, training, validation)
    if checkpoint.step:
        print(f"goes on after step {checkpoint.step} of {recipe.steps}, where it was stopped")
    print("               -- log loss -------  - of predicted classes -  -- accuracy -------  seconds")
    print("period   step      train validation        train   validation      train validation     left")
    start = time.monotonic()

    def print_period(at: Period) -> None:
        taken = at.step - checkpoint.step  # by this process
        seconds_each = (time.monotonic() - start) / max(taken, 1)
        left = f"{seconds_each * (recipe.steps - at.step):.0f}" if taken > 0 else "-"
        print(PERIOD.format(at.period, at.step, *figures(at), left), flush=True)

    trained = train(recipe, training, validation, report=print_period, checkpoint=checkpoint)

    for name, shape, _ in variables(trained):
        print(f"{name}: {shape}")

    with replacing_in(models) as folder:
        save_keras(trained.model, folder / "model.keras")
        save_tflite(trained.model, folder / "model.tflite")
        save_onnx(trained.model, folder / "model.onnx")
        save_snapshots(trained, folder / "snapshots.npz")
        ModelInput.measure(training).save(folder / "input.json")
        write_csv(folder / "variables.csv", ["name", "shape", "numbers"], variables(trained))
        write_csv(folder / "history.csv", HISTORY, history(trained))
    checkpoint.remove()


def history(trained: Trained) -> list[list[object]]:
    return [[at.period, at.step, *(f"{figure:.6f}" for figure in figures(at))] for at in trained.periods]


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
