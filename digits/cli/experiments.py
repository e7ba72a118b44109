"""Show the experiments, what each one changed, and which is best: digits experiments"""

import json
import math
import textwrap
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from tabulate import tabulate

from digits.cli.git import FETCH_ALL, check_owner, git, lacks_files
from digits.cli.history import Experiment, read_experiments
from digits.cli.output import WIDTH, show
from digits.core.errors import InputError

#: Changed parameters of a model that are named; of more, how many.
NAMED = 8
#: The figures of a model, by what they are called: the first two choose the best, the third reports.
FIGURES = {
    "validation_accuracy": ("validation", "accuracy"),
    "validation_log_loss": ("validation", "log_loss"),
    "test_accuracy": ("test", "accuracy"),
}
NONE_YET = (
    "No experiments yet. An experiment is a commit of params.yaml, dvc.lock and metrics/ whose message "
    "begins 'experiment: ', or what dvc exp run makes."
)
MARK = (
    "* The best on its data by validation accuracy; if two are equal, by validation log loss. "
    "Test figures choose nothing."
)


@dataclass(frozen=True)
class Row:
    """An experiment as it is shown.

    Attributes:
        name: of the experiment.
        commit: the first seven digits of its hash; of the workspace ``-``.
        data: the data source, and what else of ``data`` differs between the experiments on this source.
        models: the figures of each model, named as in FIGURES; None where one is missing.
        changed: the parameters that differ from the experiment before, in words.
        best: the model that is the best on this data; None if another experiment has the best.
    """

    name: str
    commit: str
    data: str
    models: dict[str, dict[str, float | None]]
    changed: str
    best: str | None = None


#: One model of an experiment.
Result = tuple[Row, str]


def main(style: str, *, root: Path = Path()) -> int:
    """Print the experiments as a ``table``, as ``markdown`` or as ``json``; return 0.

    Raises:
        InputError: there is no git repository, or it belongs to another user.
    """
    check_owner(root)
    shallow = git(root, "rev-parse", "--is-shallow-repository").strip()
    if not shallow:
        raise InputError("experiments", found="no git", expected="a git repository", do="git clone it")
    found, left_out = read_experiments(root)
    rows = describe(found)
    if style == "json":
        document = {"experiments": [asdict(row) for row in rows], "left_out": left_out}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    notes = [MARK, *verdicts(rows)] if rows else [NONE_YET]
    if left_out:
        why = "their metrics or parameters have an older layout, or they were run again later"
        notes.append(f"{left_out} more are left out: {why}.")
    if shallow == b"true":
        notes.append("This clone is shallow: git fetch --unshallow brings older experiments.")
    if lacks_files(root, "HEAD", "--", "params.yaml", "metrics"):
        notes.append(f"This clone is partial: {FETCH_ALL} brings older experiments.")
    if style == "markdown":
        show("\n\n".join([_table(rows, markdown=True), *notes]).replace("\n\n*", "\n\n\\*"))
    else:
        lines = [textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in notes]
        show("\n".join([*([_table(rows, markdown=False), ""] if rows else []), *lines, *_commands(rows)]))
    return 0


def describe(found: list[Experiment], named: int = NAMED) -> list[Row]:
    """Return a row for each experiment, the best marked; of a model, ``named`` changes are named at most."""
    rows = [
        Row(
            experiment.name,
            experiment.commit[:7] or "-",
            _data(experiment, found),
            {
                model: {name: splits.get(split, {}).get(metric) for name, (split, metric) in FIGURES.items()}
                for model, splits in experiment.metrics.items()
            },
            _changed(experiment, above, named),
        )
        for above, experiment in pairwise([None, *found])
        if experiment
    ]
    for (row, model), *_ in _leaders(rows).values():
        rows[rows.index(row)] = replace(row, best=model)
    return rows


def verdicts(rows: list[Row]) -> list[str]:
    """Return a sentence for each data: which experiment is the best and which comes next, with figures."""
    return [
        f"On {data}: {'; next is '.join(map(_sentence, leaders))}."
        for data, leaders in _leaders(rows).items()
    ]


def figure(value: float | None) -> str:
    """Return a figure as tables show it."""
    return "–" if value is None else f"{value:.4f}"


def _sentence(result: Result) -> str:
    row, model = result
    accuracy, log_loss, _ = map(figure, row.models[model].values())
    commit = "" if row.commit == "-" else f" ({row.commit})"
    return f"{row.name}{commit}, whose {model} has accuracy {accuracy} and log loss {log_loss}"


def _leaders(rows: list[Row]) -> dict[str, list[Result]]:
    """Return, by data, the best model and, if there is one, the best of all other experiments."""

    def key(result: Result) -> tuple[float, float]:
        accuracy, log_loss, _ = result[0].models[result[1]].values()
        return -(accuracy or 0), math.inf if log_loss is None else log_loss

    results: dict[str, list[Result]] = {}
    for row in rows:
        for model, figures in row.models.items():
            if figures["validation_accuracy"] is not None:
                results.setdefault(row.data, []).append((row, model))
    leaders = {}
    for data, (best, *rest) in ((data, sorted(found, key=key)) for data, found in results.items()):
        leaders[data] = [best, *[other for other in rest if other[0] is not best[0]][:1]]
    return leaders


def _table(rows: list[Row], *, markdown: bool) -> str:
    """Return the table: in each row a line for each model, and in a terminal as many as long texts need."""
    names = [name.replace("_", " ") for name in FIGURES]
    heads = ["commit", "experiment", "data", "model", *names, "changed"]
    cells = []
    for row in rows:
        lines = [[model, *map(figure, figures.values())] for model, figures in row.models.items()]
        for line in lines:
            line[1] += " *" if line[0] == row.best else ""
        columns = ["\n".join(column) for column in zip(*lines, strict=True)]
        cells.append([row.commit, row.name, row.data, *columns, row.changed])
    if markdown:
        cells = [[cell.replace("|", r"\|").replace("\n", "<br>") for cell in line] for line in cells]
        return tabulate(cells, heads, "github", disable_numparse=True)
    heads = [head.replace(" ", "\n", 1) for head in heads]
    widths = [None, 24, 12, None, None, None, None]
    rest = [line[:-1] for line in cells]
    narrow = tabulate(rest, heads[:-1], disable_numparse=True, maxcolwidths=widths)
    left = WIDTH - 2 - max(map(len, narrow.splitlines()))
    return tabulate(cells, heads, disable_numparse=True, maxcolwidths=[*widths, max(left, 16)])


def _data(experiment: Experiment, found: list[Experiment]) -> str:
    """Return the data source, and those values of ``data`` in which another experiment on it differs."""
    own, *others = (
        {key: value for key, value in one.params.items() if key.startswith("data.")}
        for one in (experiment, *found)
    )
    alike = [other for other in others if other.get("data.source") == own.get("data.source")]
    differing = [key for key in own if any(other.get(key) != own[key] for other in alike)]
    words = (f"{key.removeprefix('data.')} {_words(own[key])}" for key in differing)
    return ", ".join([_words(own.get("data.source")), *words])


def _changed(experiment: Experiment, above: Experiment | None, named: int) -> str:
    """Return what changed against the experiment before, which is named if it isn't the row above."""
    if experiment.before is None:
        return "the first"
    sections: dict[str, list[str]] = {}
    for key, values in experiment.changed.items():
        section, _, name = key.removeprefix("train.").partition(".")
        short = [_words(value, 4) for value in values]
        old, new = short if short[0] != short[1] else map(_words, values)
        sections.setdefault(section, []).append(f"{name} {old} → {new}")
    for texts in sections.values():
        if len(texts) > named + 1:  # dvc params diff names all
            texts[named:] = [f"{len(texts) - named} more"]
    words = "; ".join(f"{section} {', '.join(texts)}" for section, texts in sections.items())
    is_above = above is not None and above.commit == experiment.before.commit
    return ("" if is_above else f"against {experiment.before.name}: ") + (words or "no parameter")


def _words(value: Any, digits: int = 16) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_words(one, digits) for one in value)}]"
    return "none" if value is None else f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _commands(rows: list[Row]) -> list[str]:
    """Return the commands that show more of the best experiment on the newest data and the next best."""
    pairs = {data: leaders for data, leaders in _leaders(rows).items() if len(leaders) == 2}
    if not pairs:
        return []
    pair = pairs.get(rows[-1].data) or list(pairs.values())[-1]
    better, worse = ("workspace" if row.commit == "-" else row.commit for row, _ in pair)
    commands = [f".venv/bin/digits compare {worse} {better}    # is the difference more than chance?"]
    if "workspace" not in (better, worse):
        shown = f"--drop '[^:]*/[^:]*$' --rev {worse} --rev {better}"
        commands += [
            f".venv/bin/dvc params diff {worse} {better}",
            f".venv/bin/dvc metrics diff {worse} {better}",
            f".venv/bin/dvc exp show --hide-workspace --only-changed {shown}",
        ]
    return ["", "More of these two:", *(f"  {command}" for command in commands)]
