from typing import Any

import numpy as np
import pytest

from digits.cli.comparison import Change, Comparison, Results, compare
from digits.core.errors import InputError
from digits.core.predictions import Predictions

TEST = ("dnn", "test")


def results(name: str, right: np.ndarray, **other: Any) -> Results:
    """Results of a network whose answers to the test images are right or wrong."""
    predictions = Predictions(
        class_names=("a", "b"),
        actual=np.zeros(len(right), np.intp),
        predicted=np.where(right, 0, 1),
        probability_of_actual=np.where(right, 0.9, 0.2),
        confidence=np.where(right, 0.9, 0.8),
    )
    share, loss = float(right.mean()), float(predictions.losses.mean())
    defaults: dict[str, Any] = {
        "params": {},
        "data": {"test": "md5"},
        "rows": {"test": len(right)},
        "metrics": {TEST: {"accuracy": share, "log_loss": loss, "macro_f1": share}},
        "predictions": {TEST: predictions},
    }
    return Results(name, **(defaults | other))


def compared(lost: int, won: int, before: dict[str, Any] | None = None, **after: Any) -> Comparison:
    """Compare results on 1,000 images: ``lost`` answers became wrong, ``won`` became right."""
    table = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], (900 - lost - won, lost, won, 100), axis=0) == 1
    return compare(results("before", table[:, 0], **(before or {})), results("after", table[:, 1], **after))


def verdicts(comparison: Comparison) -> list[str]:
    return [change.verdict for change in comparison.metrics]


@pytest.mark.parametrize(
    ("lost", "won", "expected"),
    [(30, 0, "worse"), (0, 30, "better"), (12, 9, "within noise"), (1, 0, "within noise")],
)
def test_more_than_noise(lost: int, won: int, expected: str) -> None:
    assert verdicts(compared(lost, won)) == [expected, expected, "not tested"]


@pytest.mark.parametrize(("lost", "expected"), [(90, "worse"), (12, "within noise")])
def test_counts_are_compared_without_predictions(lost: int, expected: str) -> None:
    comparison = compared(lost, 0, predictions={})
    assert verdicts(comparison) == [expected, "not tested", "not tested"]
    assert comparison.metrics[0].reason.startswith("Fisher p = ")
    assert verdicts(compared(lost, 0, {"rows": {}}, predictions={}))[0] == "not tested"


LOSS = {"log_loss": 0.3}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (LOSS, {"log_loss": 0.3 * (1 + 1e-8)}, ["no change"]),  # rounding
        (LOSS, {}, ["gone"]),
        ({}, LOSS | {"brier_score": 0.2}, ["not tested"]),  # the Brier score isn't in git
    ],
)
def test_metrics_that_one_revision_lacks(before: Any, after: Any, expected: list[str]) -> None:
    comparison = compared(0, 0, {"metrics": {TEST: before}}, metrics={TEST: after})
    assert verdicts(comparison) == expected
    assert len(comparison.failures("worse")) == expected.count("gone")


def test_a_table_fits_a_terminal_and_markdown_keeps_rows_on_one_line() -> None:
    why = "95 % of resamples: -0.1138 to -0.0646"
    metric = "log_loss_of_predicted_classes"
    change = Change("linear → dnn", "validation", metric, 1.4, None, -0.1, "within noise", why)
    params = {"train.dnn.augmentation.elastic_scale": {"before": list(range(100)), "after": None}}
    comparison = Comparison("before", "after", params, [change])
    _, first, second = comparison.as_table(markdown=False).split("\n\n")
    assert max(map(len, [*first.splitlines(), *second.splitlines()])) <= 120
    markdown = " ".join(comparison.as_table(markdown=True).split())
    assert f"| {metric} | 1.4000 | none | -0.1000 | within noise | {why} |" in markdown


CHANGES = [
    Change("dnn", "test", "accuracy", 0.95, 0.94, -0.01, "within noise", ""),
    Change("linear", "test", "accuracy", 0.91, 0.85, -0.06, "worse", ""),
    Change("linear", "validation", "log_loss", 0.3, None, None, "gone", ""),
]
COMPARISON = Comparison("before", "after", {}, CHANGES)


@pytest.mark.parametrize(
    ("condition", "models"),
    [
        ("worse", ["linear", "linear"]),
        ("accuracy < 0.9", ["linear"]),
        ("test/accuracy<0.945", ["dnn", "linear"]),
        ("dnn/accuracy < 0.945", ["dnn"]),
        ("accuracy change < -1e-3", ["dnn", "linear"]),
        ("accuracy > 0.9", ["dnn"]),
        ("log_loss > 9", ["linear"]),  # gone, so not held
    ],
)
def test_a_condition_gives_the_changes_that_fail(condition: str, models: list[str]) -> None:
    assert [change.model for change in COMPARISON.failures(condition)] == models


@pytest.mark.parametrize("condition", ["accuracy < 1.2.3", "train/accuracy < 0.9"])
def test_bad_conditions_are_refused(condition: str) -> None:
    with pytest.raises(
        InputError, match=f"--fail-if: expected 'worse', .* found '{condition}'. .* test/accuracy"
    ):
        COMPARISON.failures(condition)
