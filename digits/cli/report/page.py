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

from digits.cli.flattening import flat
from digits.cli.output import keep_out
from digits.cli.report.history import Experiment, changed_keys, experiments, git
from digits.cli.report.network import load_network
from digits.cli.report.pictures import PUOR, Sheet, ink_sheet, png_url, weight_sheet
from digits.cli.report.results import Model, Results, read_results
from digits.cli.report.sweeps import sweeps
from digits.cli.report.wording import figure, words
from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.files import replacing
from digits.evaluate.metrics import METRICS
from digits.evaluate.scores import SPLITS

#: Bytes that the page may take, so that it can be sent; pixels of mistakes, and of a model's weights.
MOST, MOST_MISTAKES, MOST_WEIGHTS = 5_000_000, 400_000, 800_000
MISTAKES = 150
#: Pixels of a side under which little is left of a drawing.
COARSE = 16
#: Pictures in a row.
COLUMNS = 10

SECTIONS = {
    "results": "Results",
    "draw": "Draw one yourself",
    "training": "Training",
    "confusion": "Confusion matrix",
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
        loader=PackageLoader("digits.cli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"figure": figure, "thousands": "{:,}".format, "words": words}
    source = environment.loader.get_source  # type: ignore[union-attr]
    models = [_Shown(model, results.validation) for model in results.models]
    model_input = results.models[-1].model_input
    history = experiments(root)
    heads, rows = _experiment_table([each for each in history if each.metrics])
    shown: dict[str, Any] = {
        "title": f"{' and '.join(model.name for model in models)}: {results.title}",
        "css": Markup(source(environment, "page.css")[0]),  # noqa: S704  # the project's own files
        "page_js": Markup(source(environment, "page.js")[0]),  # noqa: S704
        "draw_js": Markup(source(environment, "draw.js")[0]),  # noqa: S704
        "sections": SECTIONS,
        "splits": SPLITS,
        "metrics": METRICS.values(),
        "results": results,
        "class_names": results.validation.class_names,
        "models": models,
        "box": model_input.box,
        "mass": model_input.centring == "mass",
        "coarse": max(model_input.height, model_input.width) < COARSE,
        "recipes": list(_recipes(results.models)),
        "commit": _commit(root),
        "environment": flat(results.environment),
        "experiment_heads": heads,
        "experiments": rows,
        "left_out": sum(not each.metrics for each in history),
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
        self.scores = model.scores
        self.numbers = model.numbers
        self.network = load_network(model.folder / "model.onnx")
        self.too_large = False
        self.figures = {path.stem: png_url(path.read_bytes()) for path in sorted(model.plots.glob("*.png"))}
        self.mistakes = _Mistakes(model, validation)
        taken = model.snapshots.taken
        self.limit = max((float(np.abs(each.weights).max()) for each in taken), default=0.0)
        self.shots = list(_shots(model, validation.class_names, self.limit))

    def for_drawing(self) -> dict[str, Any]:
        """What draw.js needs of it."""
        network = None if self.too_large else self.network
        return {"name": self.name, "takes": vars(self.model.model_input), "network": network}


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
        answers, names = model.predictions["validation"], validation.class_names
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
    taken = model.snapshots.taken
    pixels = taken[0].weights.size if taken else 1
    most = max(1, MOST_WEIGHTS // pixels)
    every = -(-len(taken) // most)  # from the last one back, so that this is there
    for shot in taken[::-1][::every][::-1] if taken else []:
        judged, names = "", list(class_names)
        if model.snapshots.hidden:
            verdicts = model.verdicts.get(shot.step) or [""] * shot.weights.shape[-1]
            names = [f"unit {unit}: {verdict}".rstrip(": ") for unit, verdict in enumerate(verdicts)]
            counts = {name: verdicts.count(name) for name in ("dead", "noise", "alike")}
            if any(counts.values()):
                judged = (
                    " Of the units, " + ", ".join(f"{count} {name}" for name, count in counts.items()) + "."
                )
        yield _Shot(shot.step, weight_sheet(shot.weights, limit, COLUMNS), names, judged)


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
