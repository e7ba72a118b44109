"""Show the experiments, what each one changed, and which is best: digits experiments"""

import json
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from digits.cli.git import FETCH_ALL, check_owner, git, is_shallow, lacks_files
from digits.cli.history import Experiment, read_experiments
from digits.cli.output import WIDTH, rounded, show
from digits.core.errors import InputError

#: The largest number of a model's changes that a row names; of more it gives the number.
NAMED = 3
NONE_YET = (
    "No experiments yet. An experiment is a commit of params.yaml, dvc.lock and metrics/ whose message "
    "begins 'experiment: ', or what dvc exp run makes."
)
MARK = (
    "The asterisk marks the best validation accuracy on the same data; of equal ones, the lower log loss. "
    "Test metrics are not used to choose."
)


class Row(NamedTuple):
    """An experiment as it is shown."""

    name: str
    commit: str  # the first seven digits of its hash; of the workspace -
    data: str  # the source, and the values of data that differ from the first experiment on this source
    models: dict[str, dict[str, float]]  # the SHOWN metrics of each
    changed: str  # the parameters that differ from the experiment before, in words
    best: str | None = None  # the best model on this data, if this experiment has it


def main(style: str, *, root: Path = Path()) -> int:
    """Print the experiments as a ``table``, as ``markdown`` or as ``json``; return 0."""
    check_owner(root)
    if not git(root, "rev-parse", "--git-dir"):
        problem = "they are git commits, but this is not a git repository"
        raise InputError("experiments", problem, "Clone it with git")
    found, left_out = read_experiments(root)
    rows = describe(found)
    if style == "json":
        document = {"experiments": [row._asdict() for row in rows], "left_out": left_out}
        show(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    notes = [MARK, *verdicts(rows)] if rows else [NONE_YET]
    if left_out:
        why = "their metrics or parameters have an older layout, or they were run again later"
        notes.append(f"{left_out} more are left out: {why}.")
    if is_shallow(root):
        notes.append("This clone is shallow: git fetch --unshallow brings older experiments.")
    if lacks_files(root, "HEAD", "--", "params.yaml", "metrics"):
        notes.append(f"This clone is partial: {FETCH_ALL} brings older experiments.")
    if style == "table":
        notes = [textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in notes] + _commands(rows)
    show("\n\n".join([*([_table(rows, markdown=style == "markdown")] if rows else []), *notes]))
    return 0


def describe(found: list[Experiment]) -> list[Row]:
    """Return a row for each experiment, the best marked."""
    rows = [
        Row(one.name, one.commit[:7] or "-", _data(one, found), one.models, _changed(one, above))
        for above, one in pairwise([None, *found])
        if one
    ]
    for (row, model), *_ in _ranking(rows).values():
        rows[rows.index(row)] = row._replace(best=model)
    return rows


def verdicts(rows: list[Row]) -> list[str]:
    """Return a sentence for each data: the best experiment and the next, with their metrics."""
    ranking = _ranking(rows).items()
    return [f"On {data}: {'; next is '.join(map(_sentence, ranked[:2]))}." for data, ranked in ranking]


def _sentence(result: tuple[Row, str]) -> str:
    row, model = result
    accuracy, log_loss, _ = row.models[model].values()
    commit = "" if row.commit == "-" else f" ({row.commit})"
    return f"{row.name}{commit}, whose {model} has accuracy {accuracy:.4f} and log loss {log_loss:.4f}"


def _ranking(rows: list[Row]) -> dict[str, list[tuple[Row, str]]]:
    """Return, by data, the experiments with their best models, from the best to the worst."""

    def order(result: tuple[Row, str]) -> tuple[float, float]:
        accuracy, log_loss, _ = result[0].models[result[1]].values()
        return -accuracy, log_loss

    best = [min(((row, model) for model in row.models), key=order) for row in rows]
    ranking: dict[str, list[tuple[Row, str]]] = {}
    for result in sorted(best, key=order):
        ranking.setdefault(result[0].data, []).append(result)
    return ranking


def _commands(rows: list[Row]) -> list[str]:
    """Return commands that compare the two best experiments on the same data, the newest data preferred."""
    pairs = {data: ranked for data, ranked in _ranking(rows).items() if len(ranked) > 1}
    if not pairs:
        return []
    best, second, *_ = pairs.get(rows[-1].data) or list(pairs.values())[-1]
    better, worse = (row.commit.replace("-", "workspace") for row, _ in (best, second))
    shown = f"--hide-workspace --only-changed --drop '[^:]*/[^:]*$' --rev {worse} --rev {better}"
    commands = [
        f"  .venv/bin/digits compare {worse} {better}    # is the difference more than chance?",
        f"  .venv/bin/dvc params diff {worse} {better}",
        f"  .venv/bin/dvc metrics diff {worse} {better}",
        f"  .venv/bin/dvc exp show {shown}",
    ]
    return [
        "\n".join(["More of these two:", *(commands[:1] if "workspace" in (better, worse) else commands)])
    ]


def _table(rows: list[Row], *, markdown: bool) -> str:
    """Return the table: in each row a line for each model, and in a terminal as many as long texts need."""
    cells = []
    for row in rows:
        lines = [[model, *(f"{value:.4f}" for value in row.models[model].values())] for model in row.models]
        for line in lines:
            line[1] += " *" if line[0] == row.best else ""
        columns = ["\n".join(column) for column in zip(*lines, strict=True)]
        cells.append([row.commit, row.name, row.data, *columns, row.changed])
    metrics = ["validation\naccuracy", "validation\nlog loss", "test\naccuracy"]
    heads = ["commit", "experiment", "data", "model", *metrics, "changed"]
    if markdown:
        cells = [[cell.replace("|", r"\|").replace("\n", "<br>") for cell in line] for line in cells]
        heads = [head.replace("\n", " ") for head in heads]
        return tabulate(cells, heads, "github", disable_numparse=True)
    widths = [None, 22, 10, None, None, None, None, 25]
    return tabulate(cells, heads, disable_numparse=True, maxcolwidths=widths)


def _data(experiment: Experiment, found: list[Experiment]) -> str:
    """Return the data source, and the values of ``data`` that differ from the first experiment on it."""
    source = experiment.params.get("data.source")
    first = next(other.params for other in found if other.params.get("data.source") == source)
    own = {key: value for key, value in experiment.params.items() if key.startswith("data.")}
    differing = {key[len("data.") :]: value for key, value in own.items() if first.get(key) != value}
    named = (f"{key.replace('_', ' ')} {rounded(value)}" for key, value in differing.items())
    return ", ".join([str(source), *named]).replace("rows none", "all rows")


def _changed(experiment: Experiment, above: Experiment | None) -> str:
    """Return what changed against the experiment before, which is named if it isn't the row above."""
    if experiment.before is None:
        return "the first"
    sections: dict[str, list[str]] = {}
    for key, (old, new) in experiment.changed.items():
        if key.startswith("data.") and key != "data.source" and "data.source" in experiment.changed:
            continue  # the column data has it
        section, _, name = key.removeprefix("train.").partition(".")
        sections.setdefault(section, []).append(f"{name} {rounded(old)} → {rounded(new)}")
    for texts in sections.values():
        if len(texts) > NAMED + 1:  # dvc params diff names all
            texts[NAMED:] = [f"{len(texts) - NAMED} more"]
    text = "; ".join(f"{section} {', '.join(texts)}" for section, texts in sections.items())
    is_above = above is not None and above.commit == experiment.before.commit
    return ("" if is_above else f"against {experiment.before.name}: ") + (text or "no parameter")
