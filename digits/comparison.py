"""What changed between two results, and whether the change is more than chance."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from digits.errors import InputError
from digits.significance import SIGNIFICANT, mcnemar, paired_bootstrap, unpaired

#: Which way is better; other numbers of a metrics file are shown and not judged.
HIGHER_IS_BETTER = {
    "accuracy": True,
    "macro_f1": True,
    "log_loss": False,
    "log_loss_of_predicted_classes": False,
    "brier_score": False,
    "expected_calibration_error": False,
}
#: Less than this is a matter of the order in which a processor adds up: 1e-8 was seen between two.
ROUNDING = 1e-6
#: Predictions are files of so many digits.
WRITTEN = 1e-4
#: Numbers that describe another one, or the data.
NOT_COMPARED = ("accuracy_low", "accuracy_high", "examples")

Part = tuple[str, str]  # model and split
Verdict = Literal["no change", "within noise", "better", "worse", "not tested", "other data", "gone"]


@dataclass(frozen=True)
class Predictions:
    """What a network answered, image by image.

    Attributes:
        actual: the true classes' names, ``[n]``.
        right: whether each answer is the true class, ``[n]``.
        loss: of each image, in nats, ``[n]``.
    """

    actual: NDArray[np.str_]
    right: NDArray[np.bool_]
    loss: NDArray[np.float64]

    @classmethod
    def of(cls, actual: list[str], predicted: list[str], probability_of_actual: list[float]) -> "Predictions":
        """From the columns of a predictions file."""
        truth = np.array(actual)
        if not all(0 <= probability <= 1 for probability in probability_of_actual):
            raise ValueError("a probability that is none")
        # What was too small to write is no zero, of which there is no logarithm.
        probabilities = np.maximum(probability_of_actual, np.finfo(np.float64).tiny)
        return cls(truth, truth == np.array(predicted), -np.log(probabilities))

    def fit(self, metrics: Mapping[str, float]) -> bool:
        """Whether the metrics were computed from these, as far as both say."""
        if not len(self.right) or len(self.right) != metrics.get("examples", len(self.right)):
            return False
        own = {"accuracy": float(self.right.mean()), "log_loss": float(self.loss.mean())}
        # Probabilities are written with six digits, and those too small for that as zero.
        return all(
            math.isclose(value, metrics[name], rel_tol=WRITTEN, abs_tol=WRITTEN)
            for name, value in own.items()
            if name in metrics
        )


@dataclass(frozen=True)
class Results:
    """One revision's parameters and results, as far as they can be read.

    Attributes:
        name: what the revision was asked for by.
        params: of params.yaml, by dotted key.
        data: which images each split holds: anything that is equal for equal splits.
        metrics: by model and split.
        predictions: by model and split, where they are at hand.
    """

    name: str
    params: Mapping[str, Any]
    data: Mapping[str, Any]
    metrics: Mapping[Part, Mapping[str, float]]
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
        return Results(
            f"{model} of {self.name}",
            {
                key.replace(own, "train.", 1): value
                for key, value in self.params.items()
                if key.startswith(own)
            },
            self.data,
            {(label, split): at for (name, split), at in self.metrics.items() if name == model},
            {(label, split): at for (name, split), at in self.predictions.items() if name == model},
        )


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
                expected="metrics/<model>/<split>.json",
                do="name a commit with results, such as one of: git log --grep '^experiment: '",
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
        old, new = before.metrics.get(part, {}), after.metrics.get(part, {})
        pair = _paired(before, after, part)
        for metric in dict.fromkeys([*old, *new]):
            if metric in NOT_COMPARED:
                continue
            verdict, reason = _judge(before, after, part, metric, pair)
            yield Change(*part, metric, old.get(metric), new.get(metric), verdict, reason)


#: Two revisions' predictions of the same images; or why there are none.
Pair = tuple[Predictions, Predictions] | str


def _judge(before: Results, after: Results, part: Part, metric: str, pair: Pair) -> tuple[Verdict, str]:
    old, new = before.metrics.get(part, {}), after.metrics.get(part, {})
    if metric not in new:
        return "gone", f"not in {after.name}"
    if metric not in old:
        return "not tested", f"not in {before.name}"
    split = part[1]
    if before.data.get(split) != after.data.get(split):
        return "other data", f"the {split} splits hold other images"
    if old.get("examples") != new.get("examples"):
        return "other data", "of another number of examples"
    if not (math.isfinite(old[metric]) and math.isfinite(new[metric])):
        verdict: Verdict = "not tested" if math.isfinite(new[metric]) else "worse"
        return verdict, "not a finite number"
    if math.isclose(old[metric], new[metric], rel_tol=ROUNDING, abs_tol=ROUNDING):
        return "no change", "" if old[metric] == new[metric] else "rounding"
    rises = HIGHER_IS_BETTER.get(metric)
    if rises is None:
        return "not tested", "no test for it"
    direction: Verdict = "better" if (new[metric] > old[metric]) == rises else "worse"
    match metric:
        case "accuracy" | "log_loss_of_predicted_classes":  # the one is a multiple of the other's rest
            if not isinstance(pair, str):
                p = mcnemar(pair[0].right, pair[1].right)
                reason = f"McNemar p = {p:.2g}"
            elif not all({"accuracy", "examples"} <= at.keys() for at in (old, new)):
                return "not tested", "no counts to compare"
            elif not all(0 <= at["accuracy"] <= 1 and at["examples"] > 0 for at in (old, new)):
                return "not tested", "an accuracy that can't be"
            else:
                counts = [
                    (round(at["accuracy"] * at["examples"]), round(at["examples"])) for at in (old, new)
                ]
                p = unpaired(*counts)
                reason = f"Fisher p = {p:.2g}; {pair}"
            return (direction if p < SIGNIFICANT else "within noise"), reason
        case "log_loss":
            if isinstance(pair, str):
                return "not tested", pair
            low, high = paired_bootstrap(pair[1].loss - pair[0].loss)
            reason = f"95 % of resamples: {low:+.4f} to {high:+.4f}"
            return ("within noise" if low <= 0 <= high else direction), reason
    return "not tested", "no test for it"


def _paired(before: Results, after: Results, part: Part) -> Pair:
    old, new = before.predictions.get(part), after.predictions.get(part)
    if old is None or new is None:
        return "no predictions at hand"
    for results, predictions in ((before, old), (after, new)):
        # The workspace's may be left from another run, and any may be damaged.
        if not predictions.fit(results.metrics.get(part, {})):
            return f"the predictions of {results.name} are not those of its metrics"
    if not np.array_equal(old.actual, new.actual):
        return "the predictions are of other images"
    return old, new


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
