"""Draw what one classifier learnt and where it errs: python -m stages.plot MODEL"""

from pathlib import Path

from digits.core.examples import Examples
from digits.core.files import replacing_folder
from digits.core.history import History
from digits.core.params import load_params
from digits.core.predictions import Predictions
from digits.core.snapshots import Snapshots
from digits.core.stage import check_unchanged, run
from digits.evaluate.calibration import bins
from digits.figures import model as figures
from digits.figures.style import save
from digits.plot.mistakes import captions
from digits.plot.units import Judged, judge, save_units


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

        for split, answers in predictions.items():
            title = f"{model}: confusion on {split}"
            save(figures.confusion(answers.confusion(), names, title), folder / f"confusion_{split}.png")
        confidence = {
            split: bins(answers.confidence, answers.right) for split, answers in predictions.items()
        }
        save(figures.calibration(confidence, f"{model}: calibration"), folder / "calibration.png")

        wrong = predictions["validation"].surest_mistakes()
        shown = wrong[: params.mistakes]
        title = f"{model}: {len(wrong)} of {len(validation)} validation examples wrong, the surest first"
        texts = captions(predictions["validation"], shown.tolist())
        save(
            figures.mistakes(validation.images[shown], texts, validation.pixel_maximum, title),
            folder / "mistakes.png",
        )

        judged: dict[int, Judged] = {}
        snapshots = Snapshots.load(models / "snapshots.npz")
        for at in snapshots.taken:
            title = f"{model}: weights of the first layer after {at.step} steps"
            if snapshots.hidden:
                judged[at.step] = judge(at, validation, params)
                figure = figures.unit_pictures(at.weights, judged[at.step].verdicts, title)
            else:
                figure = figures.weight_pictures(at.weights, names, title)
            save(figure, folder / f"weights_{at.step}.png")
        check_unchanged()
    with replacing_folder(root / "tables" / model) as folder:
        save_units(judged, folder / "units.csv")


if __name__ == "__main__":
    run(main, "plot")
