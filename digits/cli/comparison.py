"""Compare two results: which metrics changed, and whether a change is more than chance."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import scipy
from tabulate import tabulate

from digits.cli.flattening import differing
from digits.cli.output import words
from digits.cli.significance import SIGNIFICANT, mcnemar, paired_bootstrap
from digits.core.errors import InputError
from digits.core.predictions import Predictions
from digits.evaluate.metrics import METRICS

#: Two processors, which add up in another order, were seen to differ by 1e-8.
ROUNDING = 1e-6

Part = tuple[str, str]  # model and split
Verdict = Literal["no change", "within noise", "better", "worse", "not tested", "other data", "gone"]


class Results(NamedTuple):
    """One revision's parameters and results; metrics that are not in git only if DVC has scores.json."""

    name: str  # the revision as the user named it
    params: Mapping[str, Any]  # of params.yaml, by dotted key
    data: Mapping[str, str]  # the hash of each split's images
    rows: Mapping[str, int]  # the number of images in each split
    metrics: Mapping[Part, Mapping[str, float]]
    predictions: Mapping[Part, Predictions]  # where DVC has them


class Change(NamedTuple):
    """One metric at both revisions; None where a revision has no such metric."""

    model: str
    split: str
    metric: str
    before: float | None
    after: float | None
    change: float | None
    verdict: Verdict
    reason: str


class Comparison(NamedTuple):
    """The parameters that differ, by dotted key, and all metrics of two revisions."""

    before: str
    after: str
    params: dict[str, dict[str, Any]]
    metrics: list[Change]

    def as_json(self) -> str:
        document = self._asdict() | {"metrics": [change._asdict() for change in self.metrics]}
        return json.dumps(document, indent=2, ensure_ascii=False, default=str)

    def as_table(self, *, markdown: bool) -> str:
        """Return parameters and metrics as text."""
        style = "github" if markdown else "simple"
        changed = [change for change in self.metrics if change.verdict != "no change"]
        parts = [f"{self.before} → {self.after}", "No parameter changed."]
        if self.params:
            rows = [(key, *map(words, values.values())) for key, values in self.params.items()]
            widths = None if markdown else [None, 30, 30]  # Markdown's rows are one line
            heads = ["parameter", "before", "after"]
            parts[1] = tabulate(rows, heads, style, disable_numparse=True, maxcolwidths=widths)
        if changed:
            heads = ["model", "split", "metric", "before", "after", "change", "verdict", "why"]
            widths = None if markdown else [*[None] * 7, 22]
            forms = ("", "", "", ".4f", ".4f", "+.4f", "", "")
            parts.append(
                tabulate(changed, heads, style, floatfmt=forms, missingval="none", maxcolwidths=widths)
            )
        if same := len(self.metrics) - len(changed):
            parts.append(f"{same} of {len(self.metrics)} metrics did not change.")
        return "\n\n".join(parts)

    def failures(self, condition: str) -> list[Change]:
        """Return the metrics that fulfil a condition: ``worse``, or a bound such as ``accuracy < 0.9``.

        A metric that ``after`` lacks fulfils every condition. An InputError if the text is no condition.
        """
        if condition == "worse":
            return [change for change in self.metrics if change.verdict in ("worse", "gone")]
        number = r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?"
        match = re.fullmatch(rf"([\w/-]+)(\s+change)?\s*([<>])\s*({number})", condition.strip())
        # Model and split may stand before the metric, both or one, in any order.
        *within, metric = match[1].split("/") if match else ("",)
        meant = [c for c in self.metrics if c.metric == metric and {*within} <= {c.model, c.split}]
        if not match or not meant:
            known = ", ".join(sorted({f"{change.split}/{change.metric}" for change in self.metrics}))
            problem = (
                f"expected 'worse', or a condition such as 'accuracy change < -0.01', found {condition!r}"
            )
            raise InputError("--fail-if", problem, f"Use one of the metrics {known}")
        values = [(change, change.change if match[2] else change.after) for change in meant]
        sign, bound = 1 if match[3] == ">" else -1, float(match[4])
        return [change for change, value in values if value is None or sign * (value - bound) > 0]


def compare(before: Results, after: Results) -> Comparison:
    """Return every parameter that differs, and every metric of either revision."""
    params = {
        key: {"before": old, "after": new}
        for key, (old, new) in differing(before.params, after.params).items()
    }
    changes = []
    for part in {**before.metrics, **after.metrics}:
        first, second = before.metrics.get(part, {}), after.metrics.get(part, {})
        for metric in {**first, **second}:
            both = metric in first and metric in second
            if both or metric not in METRICS or METRICS[metric].in_git:
                change = second[metric] - first[metric] if both else None
                values = first.get(metric), second.get(metric), change
                changes.append(Change(*part, metric, *values, *_verdict(before, after, part, metric)))
    return Comparison(before.name, after.name, params, changes)


def _verdict(before: Results, after: Results, part: Part, metric: str) -> tuple[Verdict, str]:
    """Return the verdict on one metric and the reason: the test and its result."""
    split = part[1]
    old, new = (results.metrics.get(part, {}).get(metric) for results in (before, after))
    if new is None:
        return "gone", f"not in {after.name}"
    if old is None:
        return "not tested", f"not in {before.name}"
    if before.data.get(split) != after.data.get(split):
        return "other data", "other images"
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
        p = scipy.stats.fisher_exact([[right, rows - right] for right in counts]).pvalue
        chance, reason = p >= SIGNIFICANT, f"Fisher p = {p:.2g}, without predictions"
    else:
        return "not tested", "no predictions of both"
    if chance:
        return "within noise", reason
    return "better" if (new > old) == METRICS[metric].higher_is_better else "worse", reason
