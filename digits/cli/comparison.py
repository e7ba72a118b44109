"""Compare two results: what changed, and whether the change is more than chance."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tabulate import tabulate

from digits.cli.significance import SIGNIFICANT, mcnemar, paired_bootstrap, unpaired
from digits.core.errors import InputError
from digits.core.predictions import Predictions
from digits.evaluate.metrics import METRICS, wilson_interval

#: Less than this is a matter of the order in which a processor adds up: 1e-8 was seen between two.
ROUNDING = 1e-6
#: Predictions are files of so many digits.
WRITTEN = 1e-4

Part = tuple[str, str]  # model and split
Verdict = Literal["no change", "within noise", "better", "worse", "not tested", "other data", "gone"]


@dataclass(frozen=True)
class Results:
    """One revision's parameters and results, as far as they can be read.

    Attributes:
        name: what the revision was asked for by.
        params: of params.yaml, by dotted key.
        data: which images each split holds: anything that is equal for equal splits.
        rows: how many images each split holds.
        metrics: those in git, by model and split.
        other_metrics: all other ones, where they are at hand.
        predictions: by model and split, where they are at hand.
    """

    name: str
    params: Mapping[str, Any]
    data: Mapping[str, Any]
    rows: Mapping[str, int]
    metrics: Mapping[Part, Mapping[str, float]]
    other_metrics: Mapping[Part, Mapping[str, float]] = field(default_factory=dict)
    predictions: Mapping[Part, Predictions] = field(default_factory=dict)

    def of_model(self, model: str, label: str) -> "Results":
        """One model's part, called ``label``, to compare with another model's.

        Raises:
            InputError: there is no such model.
        """
        models = sorted({name for name, _ in self.metrics})
        if models and model not in models:
            raise InputError(
                f"{self.name}, --between",
                found=f"no model {model!r}",
                expected=f"one of {', '.join(models)}",
                do="name one of these",
            )
        own = f"train.{model}."
        params = {
            key.replace(own, "train.", 1): value for key, value in self.params.items() if key.startswith(own)
        }
        by_part: list[Mapping[Part, Any]] = [self.metrics, self.other_metrics, self.predictions]
        relabelled = (
            {(label, split): value for (name, split), value in values.items() if name == model}
            for values in by_part
        )
        return Results(f"{model} of {self.name}", params, self.data, self.rows, *relabelled)

    def fitting_predictions(self, part: Part) -> Predictions | str:
        """The predictions that the metrics were computed from; or why there are none.

        The workspace's may be left from another run, and any may be damaged.
        """
        found = self.predictions.get(part)
        if found is None:
            return "no predictions at hand"
        metrics = self.metrics.get(part, {})
        own = {"accuracy": found.right.mean(), "log_loss": found.losses.mean()} if len(found.right) else {}
        if len(found.right) != self.rows.get(part[1]) or not all(
            math.isclose(
                own.get(name, math.nan), metrics.get(name, math.nan), rel_tol=WRITTEN, abs_tol=WRITTEN
            )
            for name in ("accuracy", "log_loss")
        ):
            return f"the predictions of {self.name} are not those of its metrics"
        return found


@dataclass(frozen=True)
class Change:
    """One figure at both revisions; None where a revision has no such figure.

    Attributes:
        verdict: better and worse are said only of what is beyond noise.
        reason: the test and its result.
    """

    model: str
    split: str
    metric: str
    before: float | None
    after: float | None
    verdict: Verdict
    reason: str

    @property
    def change(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True)
class Comparison:
    before: str
    after: str
    params: Mapping[str, tuple[Any, Any]]
    changes: list[Change]

    def as_json(self) -> str:
        document = {
            "before": self.before,
            "after": self.after,
            "params": {
                key: {"before": _finite(old), "after": _finite(new)}
                for key, (old, new) in self.params.items()
            },
            "metrics": [
                {
                    "model": at.model,
                    "split": at.split,
                    "metric": at.metric,
                    "before": _finite(at.before),
                    "after": _finite(at.after),
                    "change": _finite(at.change),
                    "verdict": at.verdict,
                    "reason": at.reason,
                }
                for at in self.changes
            ],
        }
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str)

    def as_table(self, style: str) -> str:
        """Parameters and metrics as text, in one of tabulate's styles (``simple``, ``github``)."""
        parts = [f"{self.before} → {self.after}", ""]
        if self.params:
            params = [(key, _shown(old), _shown(new)) for key, (old, new) in self.params.items()]
            parts += [_table(params, ["parameter", "before", "after"], style), ""]
        else:
            parts += ["No parameter changed.", ""]
        told = [at for at in self.changes if at.verdict != "no change"]
        header = ["model", "split", "metric", "before", "after", "change", "verdict", "why"]
        rows = [
            (
                *(at.model, at.split, at.metric),
                *(_number(at.before), _number(at.after), _number(at.change, sign="+")),
                *(at.verdict, at.reason),
            )
            for at in told
        ]
        same = len(self.changes) - len(told)
        if told:
            parts += [_table(rows, header, style), ""]
        if same:
            parts += [f"No change: {'all' if not told else 'the other'} {same} figures are the same."]
        return "\n".join(parts)


def _table(rows: list[Any], header: list[str], style: str) -> str:
    return tabulate(rows, header, tablefmt=style, disable_numparse=True)


def _shown(value: object) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _finite(value: Any) -> Any:
    """None for what is no finite number: JSON has no word for it."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float | None, sign: str = "") -> str:
    return "(none)" if value is None else f"{value:{sign}.4f}"


def compare(before: Results, after: Results) -> Comparison:
    """Every parameter that differs, and every figure of either revision.

    Raises:
        InputError: a revision has no metrics.
    """
    for results in (before, after):
        if not results.metrics:
            raise InputError(
                results.name,
                found="no metrics",
                expected="metrics/<model>.json",
                do="name one of git log -- metrics/linear.json; for older ones use dvc metrics diff",
            )
    keys = list(dict.fromkeys([*before.params, *after.params]))
    params = {
        key: (before.params.get(key), after.params.get(key))
        for key in keys
        if before.params.get(key) != after.params.get(key)
    }
    return Comparison(before.name, after.name, params, list(_changes(before, after)))


def _changes(before: Results, after: Results) -> Iterator[Change]:
    for part in dict.fromkeys([*before.metrics, *after.metrics]):
        old, new = dict(before.metrics.get(part, {})), dict(after.metrics.get(part, {}))
        if part in before.other_metrics and part in after.other_metrics:
            old |= before.other_metrics[part]
            new |= after.other_metrics[part]
        for metric in dict.fromkeys([*old, *new]):
            value, changed = old.get(metric), new.get(metric)
            verdict, reason = _judge(before, after, part, metric, value, changed)
            yield Change(*part, metric, value, changed, verdict, reason)


def _judge(
    before: Results, after: Results, part: Part, metric: str, old: float | None, new: float | None
) -> tuple[Verdict, str]:
    """What is to be said of one figure's change, and why."""
    split = part[1]
    if new is None:
        return "gone", f"not in {after.name}"
    if old is None:
        return "not tested", f"not in {before.name}"
    if before.data.get(split) != after.data.get(split):
        return "other data", f"the {split} splits hold other images"
    if not (math.isfinite(old) and math.isfinite(new)):
        return ("not tested" if math.isfinite(new) else "worse"), "not a finite number"
    if math.isclose(old, new, rel_tol=ROUNDING, abs_tol=ROUNDING):
        return "no change", "" if old == new else "rounding"
    if metric not in METRICS:
        return "not tested", "no test for it"
    direction: Verdict = "better" if (new > old) == METRICS[metric].higher_is_better else "worse"
    pair = [results.fitting_predictions(part) for results in (before, after)]
    predictions = [each for each in pair if isinstance(each, Predictions)]
    reason = next((each for each in pair if isinstance(each, str)), "")
    if not reason and not predictions[0].same_images(predictions[1]):
        reason = "the predictions are of other images"
    # The log loss of predicted classes is proportional to 1 - accuracy.
    if metric in ("accuracy", "log_loss_of_predicted_classes"):
        if reason:
            accuracies = [
                results.metrics.get(part, {}).get("accuracy", math.nan) for results in (before, after)
            ]
            return _judge_counts(accuracies, before.rows.get(split, 0), direction, reason)
        p = mcnemar(predictions[0].right, predictions[1].right)
        return (direction if p < SIGNIFICANT else "within noise"), f"McNemar p = {p:.2g}"
    if metric == "log_loss":
        if reason:
            return "not tested", reason
        low, high = paired_bootstrap(predictions[1].losses - predictions[0].losses)
        found = f"95 % of resamples: {low:+.4f} to {high:+.4f}"
        return ("within noise" if low <= 0 <= high else direction), found
    return "not tested", "no test for it"


def _judge_counts(accuracies: list[float], rows: int, direction: Verdict, why: str) -> tuple[Verdict, str]:
    """Of two accuracies alone, where git is all that there is."""
    if not rows or not all(0 <= accuracy <= 1 for accuracy in accuracies):
        return "not tested", "no counts to compare"
    counts = [round(accuracy * rows) for accuracy in accuracies]
    p = unpaired((counts[0], rows), (counts[1], rows))
    intervals = " → ".join("{:.3f}–{:.3f}".format(*wilson_interval(count, rows)) for count in counts)
    return (
        direction if p < SIGNIFICANT else "within noise",
        f"Fisher p = {p:.2g}; 95 % intervals {intervals}; {why}",
    )


@dataclass(frozen=True)
class Limit:
    """A condition under which a comparison counts as a regression: ``worse``, or a bound of a figure."""

    text: str

    _BOUND = re.compile(
        r"(?:(?!(?:validation|test)/)(?P<model>[\w-]+)/)?(?:(?P<split>validation|test)/)?(?P<metric>\w+)"
        r"(?P<change>\s+change)?\s*(?P<sign>[<>])\s*(?P<number>[-+]?[0-9.]+(?:e[-+]?\d+)?)"
    )

    def broken(self, comparison: Comparison) -> list[Change]:
        """The figures that fall under the condition.

        Raises:
            InputError: the text is no condition, or no figure has such a name.
        """
        if self.text.strip() == "worse":
            return [at for at in comparison.changes if at.verdict in ("worse", "gone")]
        match = self._BOUND.fullmatch(self.text.strip())
        try:
            bound = float(match["number"]) if match else math.nan
        except ValueError:
            match = None
        if match is None:
            raise self._no_condition(self.text, "'worse', 'test/accuracy < 0.9' or 'accuracy change < -0.01'")
        meant = [
            at
            for at in comparison.changes
            if at.metric == match["metric"]
            and match["model"] in (None, at.model)
            and match["split"] in (None, at.split)
        ]
        if not meant:
            known = sorted({f"{at.split}/{at.metric}" for at in comparison.changes})
            raise self._no_condition(self.text, f"one of {', '.join(known)}")
        values = [(at, at.change if match["change"] else at.after) for at in meant]
        # A figure that is gone, or no number, has not held its bound.
        return [
            at
            for at, value in values
            if value is None
            or math.isnan(value)
            or (value < bound if match["sign"] == "<" else value > bound)
        ]

    @staticmethod
    def _no_condition(text: str, expected: str) -> InputError:
        return InputError("--fail-if", found=repr(text), expected=expected, do="change the condition")
