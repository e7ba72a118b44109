"""Train one classifier: python -m stages.train MODEL"""

from pathlib import Path

from digits.core.examples import Examples
from digits.core.files import replacing_folder, write_csv
from digits.core.history import History, Period
from digits.core.params import load_params
from digits.core.stage import check_unchanged, run
from digits.train.checkpoint import Checkpoint
from digits.train.export import save_keras, save_onnx, save_tflite
from digits.train.framing import measure_framing
from digits.train.progress import Progress
from digits.train.training import train


def main(model: str, root: Path = Path()) -> None:
    recipe = load_params(root).recipe(model)
    splits = root / "data/splits"
    training, validation = Examples.load(splits / "train.npz"), Examples.load(splits / "validation.npz")

    checkpoint = Checkpoint(root / "checkpoints" / model, recipe, training, validation)
    progress = Progress(model, recipe.steps, done=checkpoint.step)
    periods = list(checkpoint.periods)
    models = root / "models" / model

    def report(period: Period) -> None:
        check_unchanged()
        progress.show(period)
        periods.append(period)
        History(periods).save(models / "history.csv")  # dvc plots diff can show it during training

    trained = train(recipe, training, validation, report=report, checkpoint=checkpoint)
    for name, shape, _ in trained.variables:
        print(f"{name}: {shape}")

    with replacing_folder(models) as folder:
        save_keras(trained.model, folder / "model.keras")
        save_tflite(trained.model, folder / "model.tflite")
        save_onnx(trained.model, folder / "model.onnx")
        measure_framing(training).save(folder / "input.json")
        trained.history.save(folder / "history.csv")
        trained.snapshots.save(folder / "snapshots.npz")
        write_csv(folder / "variables.csv", ("name", "shape", "numbers"), trained.variables)
        check_unchanged()
    checkpoint.remove()


if __name__ == "__main__":
    run(main, "train.{model}")
