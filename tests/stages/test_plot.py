from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from digits.core.examples import Examples
from digits.core.files import write_csv
from digits.plot.weights import measure
from stages import plot
from tests import tiny
from tests.tiles import tiles

SIZE = (4, 5)
STEPS = [10, 100]
FIGURES = {
    "calibration.png",
    "training_curves.png",
    "confusion_validation.png",
    "confusion_test.png",
    "mistakes.png",
    "weights_10.png",
    "weights_100.png",
}
#: Of 12 examples of three classes in turn: rows that are wrong, and how sure the answer is.
WRONG = {1: 0.5, 4: 0.999, 6: 0.7, 7: 0.7, 11: 0.25}


def captions(figure: Figure) -> list[str]:
    """The texts over the pictures, each on one line."""
    return [" ".join(text.get_text().split()) for text in figure.axes[0].texts]


def laid_out(
    root: Path,
    *,
    names: tuple[str, ...] = ("class 0", "class 1", "class 2"),
    wrong: dict[int, float] = WRONG,
    layer: str = "hidden_1",
    units: int = 4,
    steps: Sequence[int] = STEPS,
) -> Examples:
    """What the stage reads, for model ``m``; the validation examples."""
    plain = tiny.examples(12, classes=3, size=SIZE)
    validation = Examples(plain.images, plain.labels, plain.pixel_maximum, names)
    validation.save(root / "data/splits/validation.npz")
    measures = ("log_loss", "log_loss_of_predicted_classes", "accuracy")
    write_csv(
        root / "models/m/history.csv",
        ["period", "step", *(f"{split}_{name}" for split in ("train", "validation") for name in measures)],
        [[period, 10 * period, *([f"{1 / period:.6f}"] * 6)] for period in (1, 2, 3)],
    )
    for split, rows in (("validation", wrong), ("test", {0: 0.9})):
        write_csv(
            root / f"predictions/m/{split}.csv",
            ["actual", "predicted", "probability_of_actual", "probability_of_predicted"],
            [
                (names[label], names[(label + (row in rows)) % 3], "0.1", f"{rows.get(row, 0.8):.6g}")
                for row, label in enumerate(validation.labels.tolist())
            ],
        )
    random = np.random.default_rng(0)
    np.savez(
        root / "models/m/snapshots.npz",
        steps=np.array(steps, np.int64),
        weights=random.normal(size=(len(steps), *SIZE, units)).astype(np.float32),
        biases=random.normal(size=(len(steps), units)).astype(np.float32),
        layer=np.array(layer),
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


def written(root: Path) -> set[str]:
    return {path.name for path in (root / "plots/m").iterdir()}


def counts_shown(figure: Figure) -> NDArray[np.float64]:
    (image,) = figure.axes[0].get_images()
    return np.asarray(image.get_array())


def test_the_files_written(workspace: Path) -> None:
    laid_out(workspace)
    before = {path for path in workspace.rglob("*") if path.is_file()}
    plot.main("m", workspace)
    after = {path for path in workspace.rglob("*") if path.is_file()}
    assert after - before == {workspace / "plots/m" / name for name in FIGURES} | {
        workspace / "tables/m/units.csv"
    }


def test_a_linear_classifier_has_a_picture_for_each_class_and_no_units(
    workspace: Path, saved: dict[str, Figure]
) -> None:
    laid_out(workspace, layer="logits", units=3)
    plot.main("m", workspace)
    assert written(workspace) == FIGURES
    assert captions(saved["weights_100.png"]) == ["class 0", "class 1", "class 2"]
    assert (workspace / "tables/m/units.csv").read_text().count("\n") == 1


def test_without_snapshots_there_are_no_weights(workspace: Path, saved: dict[str, Figure]) -> None:
    laid_out(workspace, steps=[])
    plot.main("m", workspace)
    assert written(workspace) == {name for name in FIGURES if not name.startswith("weights")}


def test_figures_of_an_earlier_run_go(workspace: Path, saved: dict[str, Figure]) -> None:
    laid_out(workspace, steps=[10, 50])
    plot.main("m", workspace)
    assert "weights_50.png" in written(workspace)
    laid_out(workspace, layer="logits", units=3)
    plot.main("m", workspace)
    assert written(workspace) == FIGURES


def test_units_are_judged_at_each_snapshot(workspace: Path, saved: dict[str, Figure]) -> None:
    validation = laid_out(workspace)
    plot.main("m", workspace)
    table = pd.read_csv(workspace / "tables/m/units.csv", keep_default_na=False)
    assert table["step"].tolist() == [10] * 4 + [100] * 4
    assert table["unit"].tolist() == [0, 1, 2, 3] * 2
    with np.load(workspace / "models/m/snapshots.npz") as archive:
        for number, step in enumerate(STEPS):
            units = measure(archive["weights"][number], archive["biases"][number], validation.images, 16)
            rows = table[table["step"] == step]
            verdicts = units.verdicts(noise_below=0.2, alike_above=0.45)  # as params.yaml has them
            assert rows["verdict"].tolist() == verdicts
            assert_array_equal(rows["smoothness"], units.smoothness.round(4))
            assert_array_equal(rows["active"], units.active.round(4))
            assert_array_equal(rows["similarity"], units.similarity.round(4))
            assert_array_equal(rows["most_similar_unit"], units.twin)
            assert captions(saved[f"weights_{step}.png"]) == [
                f"{unit} {word}".strip() for unit, word in enumerate(verdicts)
            ]
    assert set(table["verdict"]) & {"noise", "alike"}


def test_the_surest_mistakes_come_first(workspace: Path, saved: dict[str, Figure]) -> None:
    validation = laid_out(workspace)
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("mistakes: 24", "mistakes: 4"))
    plot.main("m", workspace)
    figure = saved["mistakes.png"]
    assert_array_equal(list(tiles(figure.axes[0]).values()), validation.images[[4, 6, 7, 1]])
    assert captions(figure) == [
        "class 1, taken for class 2 with 100%",
        "class 0, taken for class 1 with 70%",
        "class 1, taken for class 2 with 70%",
        "class 1, taken for class 2 with 50%",
    ]
    assert figure.get_suptitle() == "m: 5 of 12 validation examples wrong, the surest first"


def test_no_mistake(workspace: Path, saved: dict[str, Figure]) -> None:
    laid_out(workspace, wrong={})
    plot.main("m", workspace)
    assert "every answer was right" in saved["mistakes.png"].get_suptitle()
    assert_array_equal(counts_shown(saved["confusion_validation.png"]), np.eye(3))


@pytest.mark.parametrize(
    "names",
    [
        ("class 0", "class 1", "class 2"),
        ("NA", "1.0", "null"),
        ("nan", "None", "-"),
        ("01", "1.0", "1e3"),
        ("a,b", 'say "c"', "d e"),
    ],
)
def test_confusion_whatever_the_classes_are_called(
    names: tuple[str, ...], workspace: Path, saved: dict[str, Figure]
) -> None:
    laid_out(workspace, names=names)
    plot.main("m", workspace)
    expected = [[0.75, 0.25, 0], [0, 0.25, 0.75], [0.25, 0, 0.75]]
    assert_array_equal(counts_shown(saved["confusion_validation.png"]), expected)
    assert_array_equal(counts_shown(saved["confusion_test.png"]), [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]])
    labels = [label.get_text() for label in saved["confusion_validation.png"].axes[0].get_yticklabels()]
    assert tuple(labels) == names
    assert f"{names[1]}, taken for {names[2]} with 100%" in captions(saved["mistakes.png"])


def test_a_class_that_is_neither_there_nor_predicted_keeps_its_place(
    workspace: Path, saved: dict[str, Figure]
) -> None:
    laid_out(workspace)
    rows = ["class 2,class 0,0.1,0.9\n", "class 0,class 0,0.9,0.9\n"]
    header = "actual,predicted,probability_of_actual,probability_of_predicted\n"
    (workspace / "predictions/m/test.csv").write_text(header + "".join(rows))
    plot.main("m", workspace)
    assert_array_equal(counts_shown(saved["confusion_test.png"]), [[1, 0, 0], [0, 0, 0], [1, 0, 0]])


def test_a_failed_run_leaves_the_last_figures(workspace: Path, saved: dict[str, Figure]) -> None:
    laid_out(workspace)
    (workspace / "plots/m").mkdir(parents=True)
    (workspace / "plots/m/weights_10.png").write_bytes(b"of the last good run")
    before = {path.name: path.read_bytes() for path in (workspace / "plots/m").iterdir()}
    (workspace / "models/m/snapshots.npz").unlink()
    with pytest.raises(FileNotFoundError):
        plot.main("m", workspace)
    assert {path.name: path.read_bytes() for path in (workspace / "plots/m").iterdir()} == before
