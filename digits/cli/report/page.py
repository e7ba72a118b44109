"""The results of a run as one HTML file that needs nothing else.

No DVC stage makes it: it shows the commit and git's history, which a stage's output can't know.
"""

import math
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np

from digits.cli.experiments import MARK, Row, describe, verdicts
from digits.cli.git import check_owner, git
from digits.cli.history import SHOWN, read_experiments
from digits.cli.output import check_page
from digits.cli.report.card import write_cards
from digits.cli.report.network import OPERATIONS, load_network
from digits.cli.report.rendering import digit_url, environment, picture, words
from digits.cli.report.results import Model, Results, read_results
from digits.cli.report.sweeps import sweeps
from digits.cli.significance import SIGNIFICANT, mcnemar
from digits.cli.state import warn
from digits.core.errors import InputError
from digits.core.files import read_csv, replacing
from digits.core.history import History
from digits.core.predictions import Predictions
from digits.evaluate.metrics import METRICS
from digits.evaluate.scores import SPLITS

#: A network of more weights than this would make the page too large to send.
MOST_WEIGHTS = 500_000
#: Pictures of mistakes of each model.
MISTAKES = 150


def main(*, output: Path, open_page: bool, root: Path = Path()) -> int:
    """Write the models' cards and the page, print its address, and open it if asked to; return 0."""
    check_page(output)
    results = read_results(root)
    warn(results.outdated)
    try:
        check_owner(root)
    except InputError as error:
        warn(f"the page has no experiments; {error}")
    write_cards(results, root)
    with replacing(output) as partial:
        partial.write_text(page(results, root), encoding="utf-8", newline="\n")
    address = output.resolve().as_uri()
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {address}")
    if open_page:
        webbrowser.open(address)
    return 0


def page(results: Results, root: Path) -> str:
    """The whole document; the same for the same commit and workspace."""
    networks, not_on_board = [], {}
    for model in results.models:
        if model.weight_count > MOST_WEIGHTS:
            not_on_board[model.name] = f"its {model.weight_count:,} weights would make this page too large"
            continue
        network = load_network(root / "models" / model.name / "model.onnx")
        if unknown := {operation["name"] for operation in network["operations"]} - OPERATIONS:
            not_on_board[model.name] = f"the board can't compute {', '.join(sorted(unknown))}"
        else:
            linear = not model.recipe["hidden_units"]
            networks.append({"name": model.name, "linear": linear, "network": network})
    model_input = results.models[0].model_input
    history, left_out = read_experiments(root)
    rows = describe(history)
    keys = dict.fromkeys(key for model in results.models for key in model.recipe)
    template = environment(autoescape=True).get_template("page.html")
    return template.render(
        results=results,
        models=[_model(model, results, root) for model in results.models],
        metrics=METRICS.values(),
        splits=SPLITS,
        class_names=model_input.class_names,
        model_input=model_input,
        not_on_board=not_on_board,
        drawing={"input": vars(model_input) | {"full_ink": model_input.full_ink}, "models": networks},
        picture_of=lambda path: picture(root / path),
        has_data_pictures=(root / "plots/data").is_dir(),
        of_digits=model_input.class_names == tuple("0123456789"),
        guessing=math.log(len(model_input.class_names)),
        recipes={key: [words(model.recipe.get(key)) for model in results.models] for key in keys},
        other_params={key: value for key, value in results.params.items() if not key.startswith("train.")},
        difference=_difference(results.models),
        commit=git(root, "log", "-1", "--format=%h: %s").decode(errors="replace").strip(),
        changes=git(root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no"),
        experiments=rows,
        experiment_params=[experiment.params for experiment in history],
        lowest=_lowest(rows),
        experiment_models=list(dict.fromkeys(model for row in rows for model in row.models)),
        experiment_metrics=list(SHOWN),
        experiment_notes=[MARK, *verdicts(rows)],
        left_out=left_out,
        sweeps=list(sweeps(root)),
    )


def _model(model: Model, results: Results, root: Path) -> dict[str, Any]:
    """All that the page shows of a model: texts that describe its charts, pictures of weights, mistakes."""
    plots, data = root / "plots" / model.name, results.validation
    steps = sorted(int(path.stem.removeprefix("weights_")) for path in plots.glob("weights_*.png"))
    answers = model.predictions["validation"]
    wrong = answers.surest_mistakes()
    return vars(model) | {
        "weight_count": model.weight_count,
        "kind": model.kind,
        "curves": _curves(History.load(root / "models" / model.name / "history.csv")),
        "confused": {split: _confused(model.predictions[split]) for split in SPLITS},
        "verdicts": _verdicts(root / "tables" / model.name / "units.csv"),
        "weights": {step: picture(plots / f"weights_{step}.png") for step in steps},
        "wrong": len(wrong),
        "mistakes": [
            {
                "url": digit_url(data.images[row], data.pixel_maximum),
                "actual": data.class_names[answers.actual[row]],
                "predicted": data.class_names[answers.predicted[row]],
                "confidence": f"{100 * answers.confidence[row]:.0f} %",
            }
            for row in wrong[:MISTAKES]
        ],
    }


def _difference(models: list[Model]) -> str:
    """Say whether two models differ by more than chance on the test images; empty if there aren't two."""
    if len(models) != 2:
        return ""
    right = [model.predictions["test"].right for model in models]
    p = mcnemar(*right)
    test = f"McNemar's test on the same images, p\u00a0=\u00a0{p:.2g}"
    if p >= SIGNIFICANT:
        return f"The difference may be chance ({test})."
    better, worse = sorted(models, key=lambda model: -int(model.predictions["test"].right.sum()))
    return f"{better.name} is better than {worse.name} by more than chance ({test})."


def _curves(history: History) -> str:
    """Describe the training curves, for readers who can't see them."""
    first, last = history.periods[0], history.periods[-1]
    return ", ".join(
        f"{split} log loss from {getattr(first, split).log_loss:.3f} to {getattr(last, split).log_loss:.3f} "
        f"and accuracy from {getattr(first, split).accuracy:.3f} to {getattr(last, split).accuracy:.3f}"
        for split in ("train", "validation")
    )


def _confused(answers: Predictions) -> str:
    """Describe the confusion matrix, for readers who can't see it."""
    names, right = answers.class_names, int(answers.right.sum())
    text = f"{right:,} of {len(answers.right):,} on the diagonal"
    matrix = answers.confusion()
    np.fill_diagonal(matrix, 0)
    actual, predicted = np.unravel_index(matrix.argmax(), matrix.shape)
    most = f"; most often {names[actual]} is taken for {names[predicted]}, {matrix.max()} times"
    return text + (most if matrix.any() else "")


def _verdicts(units: Path) -> str:
    """Count the dead, noise and alike units after the last step; empty without a hidden layer."""
    table = read_csv(units)
    steps = table["step"]
    last = [verdict for step, verdict in zip(steps, table["verdict"], strict=True) if step == steps[-1]]
    counts = (f"{last.count(verdict)} {verdict}" for verdict in ("dead", "noise", "alike"))
    return f"{', '.join(counts)} of {len(last)} units" if last else ""


def _lowest(rows: list[Row]) -> float:
    """The start of the axis of validation accuracies: the lowest, rounded down to a multiple of 0.05."""
    shown = [value for row in rows for each in row.models.values() if (value := each["validation_accuracy"])]
    return min(math.floor(min(shown, default=0) * 20) / 20, 0.95)
