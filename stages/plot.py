"""Draw what one classifier learnt and where it errs: python -m stages.plot MODEL"""

from pathlib import Path

from digits.core.examples import Examples
from digits.core.files import replacing_folder, write_csv
from digits.core.history import History
from digits.core.params import load_params
from digits.core.predictions import Predictions
from digits.core.snapshots import Snapshots
from digits.core.stage import check_unchanged, run
from digits.evaluate.calibration import bins
from digits.figures import model as figures
from digits.figures.style import save
from digits.plot.units import COLUMNS, measure


def main(model: str, root: Path = Path()) -> None:
    params = load_params(root).plot
    validation = Examples.load(root / "data/splits/validation.npz")
    models, names = root / "models" / model, validation.class_names
    predictions = {
        split: Predictions.load(root / f"predictions/{model}/{split}.csv", names)
        for split in ("validation", "test")
    }
    with replacing_folder(root / "plots" / model) as folder:
        history = History.load(models / "history.csv")
        save(figures.training_curves(history, model), folder / "training_curves.png")

        for split, part in predictions.items():
            title = f"{model}: confusion on {split}"
            save(figures.confusion(part.confusion(), names, title), folder / f"confusion_{split}.png")
        confidence = {split: bins(part.confidence, part.right) for split, part in predictions.items()}
        save(figures.calibration(confidence, f"{model}: calibration"), folder / "calibration.png")

        part = predictions["validation"]
        wrong = part.surest_mistakes()
        shown = wrong[: params.mistakes]
        captions = [
            f"{names[part.actual[row]]}, taken for {names[part.predicted[row]]}\n"
            f"with {part.confidence[row]:.0%}"
            for row in shown
        ]
        order = ", the most confident first" if len(shown) > 1 else ""
        title = f"{model}: {len(wrong)} of {len(validation)} validation examples wrong{order}"
        figure = figures.mistakes(validation.images[shown], captions, validation.pixel_maximum, title)
        save(figure, folder / "mistakes.png")

        units_rows: list[tuple[object, ...]] = []
        snapshots = Snapshots.load(models / "snapshots.npz")
        for taken in snapshots.taken:
            title = f"{model}: weights of the first layer after {taken.step} steps"
            if snapshots.hidden:
                units = measure(taken.weights, taken.biases, validation.images, validation.pixel_maximum)
                verdicts = units.verdicts(noise_below=params.noise_below, alike_above=params.alike_above)
                units_rows += units.rows(taken.step, verdicts)
                figure = figures.unit_pictures(taken.weights, verdicts, title)
            else:
                figure = figures.weight_pictures(taken.weights, names, title)
            save(figure, folder / f"weights_{taken.step}.png")
        check_unchanged()
    write_csv(root / "tables" / model / "units.csv", COLUMNS, units_rows)


if __name__ == "__main__":
    run(main, "plot")
