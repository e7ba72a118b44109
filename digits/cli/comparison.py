"""Compare two results: which figures changed, and whether a change is more than chance."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tabulate import tabulate

from digits.cli.output import WIDTH
from digits.cli.significance import SIGNIFICANT, mcnemar, paired_bootstrap, unpaired
from digits.core.errors import InputError
from digits.core.predictions import Predictions
from digits.evaluate.metrics import METRICS, wilson_interval

#: Two processors, which add up in another order, were seen to differ by 1e-8.
ROUNDING = 1e-6

Part = tuple[str, str]  # model and split
Verdict = Literal["no change", "within noise", "better", "worse", "not tested", "other data", "gone"]


@dataclass(frozen=True)
class Results:
    """One revision's parameters and results.

    Attributes:
        name: the revision as the user named it.
        params: the values of params.yaml, by dotted key.
        data: the hash of each split's images.
        rows: the number of images in each split.
        metrics: by model and split. Those outside git are missing where DVC has no scores.json.
        predictions: by model and split, where DVC has them.
    """

    name: str
    params: Mapping[str, Any]
    data: Mapping[str, Any]
    rows: Mapping[str, int]
    metrics: Mapping[Part, Mapping[str, float]]
    predictions: Mapping[Part, Predictions]

    def of_model(self, model: str, label: str) -> "Results":
        """Return one model's part, renamed to ``label``, to compare it with another model's.

        Raises:
            InputError: there is no such model.
        """
        models = sorted({name for name, _ in self.metrics})
        if model not in models:
            raise InputError(
                f"{self.name}, --between",
                found=f"no model {model!r}",
                expected=f"one of {', '.join(models)}",
                do="name one of these",
            )
        own = f"train.{model}."
        params = {f"train.{key[len(own) :]}": self.params[key] for key in self.params if key.startswith(own)}
        metrics = {(label, split): value for (name, split), value in self.metrics.items() if name == model}
        predictions = {
            (label, split): value for (name, split), value in self.predictions.items() if name == model
        }
        return Results(f"{model} of {self.name}", params, self.data, self.rows, metrics, predictions)


class Change(NamedTuple):
    """One figure at both revisions; None where a revision has no such figure."""

    model: str
    split: str
    metric: str
    before: float | None
    after: float | None
    change: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The parameters that differ, by dotted key with both values, and all figures of two revisions."""

    before: str
    after: str
    params: Mapping[str, tuple[Any, Any]]
    changes: list[Change]

    def as_json(self) -> str:
        document = {
            "before": self.before,
            "after": self.after,
            "params": {key: {"before": old, "after": new} for key, (old, new) in self.params.items()},
            "metrics": [change._asdict() for change in self.changes],
        }
        return json.dumps(document, indent=2, ensure_ascii=False, default=str)

    def as_table(self, style: str) -> str:
        """Return parameters and metrics as text, in one of tabulate's styles (``simple``, ``github``)."""
        params = [(key, *map(_words, values)) for key, values in self.params.items()]
        changed = [change for change in self.changes if change.verdict != "no change"]
        figures = [
            (*part, *(_words(value, ".4f") for value in (old, new)), _words(change, "+.4f"), verdict, why)
            for *part, old, new, change, verdict, why in changed
        ]
        parts = [f"{self.before} → {self.after}", "No parameter changed."]
        if params:
            parts[1] = _table(params, ["parameter", "before", "after"], style, wrapped=2)
        if figures:
            heads = ["model", "split", "metric", "before", "after", "change", "verdict", "why"]
            align = [*["left"] * 3, *["right"] * 3, *["left"] * 2]
            parts.append(_table(figures, heads, style, wrapped=1, colalign=align))
        parts.append(f"{len(self.changes) - len(changed)} of {len(self.changes)} figures did not change.")
        return "\n\n".join(parts)

    def failures(self, condition: str) -> list[Change]:
        """Return the figures that fulfil a condition: ``worse``, or a bound such as ``accuracy < 0.9``.

        Raises:
            InputError: the text is no condition, or no figure has such a name.
        """
        if condition == "worse":
            return [change for change in self.changes if change.verdict in ("worse", "gone")]
        match = re.fullmatch(
            r"([\w/-]+)(\s+change)?\s*([<>])\s*([-+]?\d*\.?\d+(?:e[-+]?\d+)?)", condition.strip()
        )
        expected = "'worse', 'test/accuracy < 0.9' or 'accuracy change < -0.01'"
        if match:
            *within, metric = match[1].split("/")
            meant = [c for c in self.changes if c.metric == metric and {*within} <= {c.model, c.split}]
            values = [(c, c.change if match[2] else c.after) for c in meant]
            sign, bound = 1 if match[3] == ">" else -1, float(match[4])
            if meant:  # a figure that is gone breaks its bound
                return [change for change, value in values if value is None or sign * (value - bound) > 0]
            known = sorted({f"{change.split}/{change.metric}" for change in self.changes})
            expected = f"one of {', '.join(known)}"
        raise InputError("--fail-if", found=repr(condition), expected=expected, do="change the condition")


def compare(before: Results, after: Results) -> Comparison:
    """Return every parameter that differs, and every figure of either revision."""
    params = {
        key: (before.params.get(key), after.params.get(key))
        for key in {**before.params, **after.params}
        if before.params.get(key) != after.params.get(key)
    }
    changes = []
    for part in {**before.metrics, **after.metrics}:
        old, new = before.metrics.get(part, {}), after.metrics.get(part, {})
        for metric in {**old, **new}:
            both = metric in old and metric in new
            if both or metric not in METRICS or METRICS[metric].in_git:
                change = new[metric] - old[metric] if both else None
                verdict, reason = _verdict(before, after, part, metric)
                changes.append(
                    Change(*part, metric, old.get(metric), new.get(metric), change, verdict, reason)
                )
    return Comparison(before.name, after.name, params, changes)


def _words(value: Any, form: str = "") -> str:
    return "(none)" if value is None else format(value, form) if form else str(value)


def _table(rows: list[Any], heads: list[str], style: str, *, wrapped: int, **layout: Any) -> str:
    """Return a table, up to :data:`WIDTH` wide: the last ``wrapped`` columns share what the others leave."""
    first = len(heads) - wrapped
    widths = [max(len(head) + 2, *map(len, cells)) for head, *cells in zip(heads, *rows, strict=True)]
    share = max(20, (WIDTH - sum(widths[:first]) - 2 * (len(heads) - 1)) // wrapped)
    limits = [None] * first + [share] * wrapped if style == "simple" else None  # Markdown's rows are one line
    return tabulate(rows, heads, style, disable_numparse=True, maxcolwidths=limits, **layout)


def _verdict(before: Results, after: Results, part: Part, metric: str) -> tuple[Verdict, str]:
    """Return the verdict on one figure and the reason: the test and its result."""
    split = part[1]
    figures = [results.metrics.get(part, {}) for results in (before, after)]
    if metric not in figures[1]:
        return "gone", f"not in {after.name}"
    if metric not in figures[0]:
        return "not tested", f"not in {before.name}"
    if before.data.get(split) != after.data.get(split):
        return "other data", f"the {split} splits hold other images"
    old, new = (found[metric] for found in figures)
    if math.isclose(old, new, rel_tol=ROUNDING, abs_tol=ROUNDING):
        return "no change", ""
    if metric not in ("accuracy", "log_loss_of_predicted_classes", "log_loss"):
        return "not tested", "no test for it"
    pair = [results.predictions[part] for results in (before, after) if part in results.predictions]
    if len(pair) == 2 and pair[0].same_images(pair[1]):
        if metric == "log_loss":
            low, high = paired_bootstrap(pair[1].losses - pair[0].losses)
            chance, reason = low <= 0 <= high, f"95 % of resamples: {low:+.4f} to {high:+.4f}"
        else:  # log loss of predicted classes is proportional to 1 - accuracy
            p = mcnemar(pair[0].right, pair[1].right)
            chance, reason = p >= SIGNIFICANT, f"McNemar p = {p:.2g}"
    elif metric == "accuracy" and split in before.rows:
        rows = before.rows[split]
        counts = [round(accuracy * rows) for accuracy in (old, new)]
        p = unpaired((counts[0], rows), (counts[1], rows))
        intervals = " → ".join("{:.3f}–{:.3f}".format(*wilson_interval(count, rows)) for count in counts)
        chance, reason = p >= SIGNIFICANT, f"no predictions; Fisher p = {p:.2g}; 95 % intervals {intervals}"
    else:
        return "not tested", "no predictions of both"
    better = (new > old) == METRICS[metric].higher_is_better
    return "within noise" if chance else "better" if better else "worse", reason
