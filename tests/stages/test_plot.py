from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_array_equal

from digits.core.examples import Examples
from digits.core.files import write_csv
from stages import plot
from tests import tiny
from tests.tiles import tiles

SIZE = (4, 5)
NAMES = ("class 0", "class 1", "class 2")
CHARTS = {
    "calibration.png",
    "training_curves.png",
    "confusion_validation.png",
    "confusion_test.png",
    "mistakes.png",
}
#: Of 12 examples of three classes in turn: rows that are wrong, and how sure the answer is.
WRONG = {1: 0.5, 4: 0.999, 6: 0.7, 7: 0.7, 11: 0.25}


def captions(figure: Figure) -> list[str]:
    """The texts over the pictures, each on one line."""
    return [" ".join(text.get_text().split()) for text in figure.axes[0].texts]


def laid_out(root: Path, *, hidden: bool = True, steps: tuple[int, ...] = (10, 100)) -> Examples:
    """Write the files that the stage reads for model ``m``; return the validation examples."""
    validation = tiny.examples(12, classes=3, size=SIZE)
    validation.save(root / "data/splits/validation.npz")
    measures = ("log_loss", "log_loss_of_predicted_classes", "accuracy")
    write_csv(
        root / "models/m/history.csv",
        ["period", "step", *(f"{split}_{name}" for split in ("train", "validation") for name in measures)],
        [[period, 10 * period, *([f"{1 / period:.6f}"] * 6)] for period in (1, 2, 3)],
    )
    for split, rows in (("validation", WRONG), ("test", {0: 0.9})):
        write_csv(
            root / f"predictions/m/{split}.csv",
            ["actual", "predicted", "probability_of_actual", "probability_of_predicted"],
            [
                (NAMES[label], NAMES[(label + (row in rows)) % 3], "0.1", f"{rows.get(row, 0.8):.6g}")
                for row, label in enumerate(validation.labels.tolist())
            ],
        )
    random = np.random.default_rng(0)
    units = 4 if hidden else 3
    np.savez(
        root / "models/m/snapshots.npz",
        steps=np.array(steps, np.int64),
        weights=random.normal(size=(len(steps), *SIZE, units)).astype(np.float32),
        biases=random.normal(size=(len(steps), units)).astype(np.float32),
        layer=np.array("hidden_1" if hidden else "logits"),
    )
    return validation


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures, by file name; their files stay empty, which takes no time."""
    kept: dict[str, Figure] = {}

    def keep(figure: Figure, path: Path) -> None:
        kept[path.name] = figure
        path.touch()

    monkeypatch.setattr(plot, "save", keep)
    return kept


def figure_names(root: Path) -> set[str]:
    return {path.name for path in (root / "plots/m").iterdir()}


def test_figures_of_an_earlier_run_are_deleted(workspace: Path, saved: dict[str, Figure]) -> None:
    laid_out(workspace)
    plot.main("m", workspace)
    assert figure_names(workspace) == CHARTS | {"weights_10.png", "weights_100.png"}
    table = pd.read_csv(workspace / "tables/m/units.csv", keep_default_na=False)
    assert table["step"].tolist() == [10] * 4 + [100] * 4
    verdicts = [
        f"{unit} {verdict}".strip() for unit, verdict in zip(range(4), table["verdict"][4:], strict=True)
    ]
    assert captions(saved["weights_100.png"]) == verdicts
    laid_out(workspace, steps=())
    plot.main("m", workspace)
    assert figure_names(workspace) == CHARTS


def test_a_linear_classifier_has_a_picture_for_each_class_and_no_units(
    workspace: Path, saved: dict[str, Figure]
) -> None:
    laid_out(workspace, hidden=False)
    plot.main("m", workspace)
    assert captions(saved["weights_100.png"]) == list(NAMES)
    assert (workspace / "tables/m/units.csv").read_text().count("\n") == 1


def test_the_confusion_and_the_surest_mistakes_are_of_their_split(
    workspace: Path, saved: dict[str, Figure]
) -> None:
    validation = laid_out(workspace)
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("mistakes: 24", "mistakes: 4"))
    plot.main("m", workspace)
    figure = saved["mistakes.png"]
    assert_array_equal(list(tiles(figure.axes[0]).values()), validation.images[[4, 6, 7, 1]])
    assert captions(figure)[0] == "class 1, taken for class 2 with 100%"
    assert figure.get_suptitle() == "m: 5 of 12 validation examples wrong, the most confident first"
    for split, shares in (
        ("validation", [[0.75, 0.25, 0], [0, 0.25, 0.75], [0.25, 0, 0.75]]),
        ("test", [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]]),
    ):
        (image,) = saved[f"confusion_{split}.png"].axes[0].get_images()
        assert_array_equal(image.get_array(), shares)
