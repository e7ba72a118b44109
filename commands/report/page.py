"""The results of a run as one HTML file: nothing beside it is needed, no network and no program.

It is no stage: it shows git's history and the commit, which an output recorded in dvc.lock cannot.
"""

import webbrowser
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from commands.flattening import flat
from commands.output import keep_out
from commands.report import charts
from commands.report.history import SPLITS, Experiment, changed_keys, experiments, git
from commands.report.network import load_network
from commands.report.pictures import PUOR, Sheet, ink_sheet, weight_sheet
from commands.report.results import Model, Results, read_results
from commands.report.sweeps import sweeps
from commands.report.wording import METRICS, figure, share, words
from digits.calibration import bins
from digits.errors import InputError
from digits.examples import Examples
from digits.files import replacing

#: Bytes that the page may take, so that it can be sent; pixels of mistakes, and of a model's weights.
MOST, MOST_MISTAKES, MOST_WEIGHTS = 5_000_000, 400_000, 800_000
MISTAKES = 150
#: Marks on a line.
MARKS = 100
#: With more classes than this, a table of them against each other is too large to read or send.
MOST_CLASSES = 40
#: Pixels of a side under which little is left of a drawing.
COARSE = 16
#: Pictures in a row.
COLUMNS = 10

SECTIONS = {
    "results": "Results",
    "draw": "Draw one yourself",
    "training": "Training",
    "confusion": "What is taken for what",
    "calibration": "Calibration",
    "weights": "Weights",
    "mistakes": "Mistakes",
    "experiments": "Experiments",
    "sweeps": "Sweeps",
    "run": "What was run",
}


def main(*, output: Path, open_page: bool, root: Path = Path()) -> int:
    """Write the page, say where it is, and show it if asked to; 0.

    Raises:
        InputError: the pipeline hasn't run, or the page would lie in an output of a stage.
    """
    results = read_results(root)
    _check(output, root, results.outputs)
    with replacing(output.resolve()) as partial:  # a link stays, and leads to the new page
        partial.write_text(page(results, root), encoding="utf-8", newline="\n")
    address = output.resolve().as_uri()
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {address}")
    if open_page:
        webbrowser.open(address)
    return 0


def _check(output: Path, root: Path, outputs: list[str]) -> None:
    if output.is_dir():
        raise InputError(output, found="a folder", expected="a file's name", do=f"try {output}/index.html")
    if output.suffix not in (".html", ".htm"):
        raise InputError(
            output, found="a name of another kind", expected="one that ends in .html", do="add it"
        )
    keep_out(output, ((out, (root / out).resolve()) for out in outputs))


def page(results: Results, root: Path) -> str:
    """The whole document; the same for the same commit and workspace."""
    environment = Environment(
        loader=PackageLoader("commands.report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"figure": figure, "thousands": "{:,}".format, "share": share, "words": words}
    source = environment.loader.get_source  # type: ignore[union-attr]
    models = [_Shown(model, results.validation) for model in results.models]
    takes = results.models[-1].takes
    heads, rows = _experiment_table(experiments(root))
    shown: dict[str, Any] = {
        "title": f"{' and '.join(model.name for model in models)}: {results.title}",
        "css": Markup(source(environment, "page.css")[0]),  # noqa: S704  # the project's own files
        "page_js": Markup(source(environment, "page.js")[0]),  # noqa: S704
        "draw_js": Markup(source(environment, "draw.js")[0]),  # noqa: S704
        "frame": charts,
        "sections": SECTIONS,
        "splits": SPLITS,
        "metrics": METRICS,
        "results": results,
        "class_names": results.validation.class_names,
        "models": models,
        "box": takes.box,
        "mass": takes.centring == "mass",
        "coarse": max(takes.height, takes.width) < COARSE,
        "recipes": list(_recipes(results.models)),
        "commit": _commit(root),
        "environment": flat(results.environment),
        "experiment_heads": heads,
        "experiments": rows,
        "sweeps": list(sweeps(root)),
    }

    def render(with_networks: list[_Shown]) -> str:
        for model in models:
            model.too_large = model not in with_networks
        networks = {"models": [model.for_drawing() for model in models], "colours": PUOR}
        return environment.get_template("page.html").render(shown, networks=networks)

    # The largest networks go first where all would make the page too large to send.
    drawn = sorted(models, key=lambda model: model.numbers)
    document = render(drawn)
    while drawn and len(document.encode()) > MOST:
        drawn.pop()
        document = render(drawn)
    return document


class _Shown:
    """One model as the template takes it."""

    def __init__(self, model: Model, validation: Examples) -> None:
        self.model = model
        self.name = model.name
        self.metrics = model.metrics
        self.classes = model.classes
        self.class_rows = {
            split: list(zip(*table.values(), strict=True)) for split, table in model.classes.items()
        }
        self.numbers = model.numbers
        self.network = load_network(model.folder / "model.onnx")
        self.too_large = False
        self.curves = _curves(model)
        self.confusion = {
            split: _confusion(model, split, len(validation.class_names)) for split in model.predicted
        }
        self.reliability = {
            split: charts.reliability(f"{model.name}, {split}", bins(answers.confidence, answers.right))
            for split, answers in model.predicted.items()
        }
        self.mistakes = _Mistakes(model, validation)
        self.limit = float(np.abs(model.snapshots.weights).max()) if len(model.snapshots.steps) else 0.0
        self.shots = list(_shots(model, validation.class_names, self.limit))

    def for_drawing(self) -> dict[str, Any]:
        """What draw.js needs of it."""
        network = None if self.too_large else self.network
        return {"name": self.name, "takes": vars(self.model.takes), "network": network}


def _curves(model: Model) -> list[charts.Chart]:
    # Of many periods, so many marks as can be told apart; the last is among them.
    every = -(-len(model.history["step"]) // MARKS)
    history = {column: values[::-1][::every][::-1] for column, values in model.history.items()}
    steps = history["step"]

    def chart(title: str, column: str, y_label: str, *, from_zero: bool) -> charts.Chart:
        series = {split: (steps, history[f"{split}_{column}"]) for split in ("train", "validation")}
        most = None if from_zero else 1.0
        return charts.curves(title, series, x_label="step", y_label=y_label, from_zero=from_zero, most=most)

    return [
        chart("Log loss", "log_loss", "nats per example", from_zero=True),
        chart("Accuracy", "accuracy", "share of examples", from_zero=False),
    ]


def _confusion(model: Model, split: str, classes: int) -> list[list[tuple[int, float]]]:
    """Counts and shares of the true class, row by row; nothing if there are too many classes."""
    if classes > MOST_CLASSES:
        return []
    counts = model.predicted[split].confusion(classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return [list(zip(*row, strict=True)) for row in zip(counts.tolist(), shares.tolist(), strict=True)]


@dataclass(frozen=True)
class _Tile:
    """One mistake: classes and confidence in words, and where its picture is in the sheet, in percent."""

    actual: str
    predicted: str
    confidence: str
    across: str
    down: str


class _Mistakes:
    """The pictures that a model took for something else, the surest first."""

    def __init__(self, model: Model, validation: Examples) -> None:
        answers, names = model.predicted["validation"], validation.class_names
        wrong = answers.surest_mistakes()
        self.total = len(wrong)
        wrong = wrong[: min(MISTAKES, max(1, MOST_MISTAKES // (validation.height * validation.width)))]
        self.sheet: Sheet = ink_sheet(validation.images[wrong], validation.pixel_maximum, COLUMNS)
        self.tiles = [
            _Tile(
                names[answers.actual[row]],
                names[answers.predicted[row]],
                f"{answers.confidence[row]:.0%}",
                _place(number % self.sheet.columns, self.sheet.columns),
                _place(number // self.sheet.columns, self.sheet.rows),
            )
            for number, row in enumerate(wrong)
        ]


def _place(number: int, count: int) -> str:
    """CSS's ``background-position`` of one of so many equal parts."""
    return f"{100 * number / max(count - 1, 1):.6g}"


@dataclass(frozen=True)
class _Shot:
    """The first layer after a step: its picture, what each unit is called, and what is said of all."""

    step: int
    sheet: Sheet
    names: list[str]
    judged: str


def _shots(model: Model, class_names: tuple[str, ...], limit: float) -> Iterable[_Shot]:
    taken = model.snapshots
    _, height, width, units = taken.weights.shape if len(taken.steps) else (0, 1, 1, 1)
    most = max(1, MOST_WEIGHTS // (height * width * units))
    every = -(-len(taken.steps) // most)  # from the last one back, so that this is there
    shown = list(zip(taken.steps, taken.weights, strict=True))[::-1][::every][::-1]
    for step, weights in shown:
        judged, names = "", list(class_names)
        if taken.hidden:
            verdicts = taken.verdicts.get(step) or [""] * weights.shape[-1]
            names = [f"unit {unit}: {verdict}".rstrip(": ") for unit, verdict in enumerate(verdicts)]
            counts = {name: verdicts.count(name) for name in ("dead", "noise", "alike")}
            if any(counts.values()):
                judged = (
                    " Of the units, " + ", ".join(f"{count} {name}" for name, count in counts.items()) + "."
                )
        yield _Shot(step, weight_sheet(weights, limit, COLUMNS), names, judged)


def _recipes(models: list[Model]) -> Iterable[tuple[str, list[str], bool]]:
    """Each key of the recipes, its value for each model, and whether they differ."""
    for key in dict.fromkeys(key for model in models for key in model.recipe):
        values = [words(model.recipe.get(key)) for model in models]
        yield key, values, len(set(values)) > 1


@dataclass(frozen=True)
class _Cell:
    """A cell of the table of experiments: what is read, and what it is sorted by if not by that."""

    text: str
    value: float | None = None


#: Columns of each model: split, metric, and how they are headed.
COMPARED = (
    ("validation", "accuracy", "validation accuracy"),
    ("test", "accuracy", "test accuracy"),
    ("test", "log_loss", "test log loss"),
)


def _experiment_table(history: list[Experiment]) -> tuple[list[str], list[list[_Cell]]]:
    """The heads of the columns, and a row for each experiment."""
    keys = changed_keys(history)
    models = list(dict.fromkeys(model for at in history for model, _, _ in at.metrics))
    figures = [f"{model} {head}" for model in models for _, _, head in COMPARED]
    rows = [
        [
            _Cell(at.commit[:7]),
            _Cell(at.title),
            *(
                _Cell("" if value is None else figure(value), value)
                for model in models
                for split, metric, _ in COMPARED
                for value in [at.metrics.get((model, split, metric))]
            ),
            *(_Cell(words(at.params.get(key))) for key in keys),
        ]
        for at in history
    ]
    return ["commit", "experiment", *figures, *keys], rows


def _commit(root: Path) -> dict[str, Any] | None:
    """HEAD, and whether a tracked file is another one than there; None where git knows none."""
    head = git(root, "log", "-1", "--format=%h %s").decode(errors="replace").strip()
    if not head:
        return None
    name, _, title = head.partition(" ")
    changes = git(root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    return {"name": name, "title": title, "dirty": bool(changes)}
