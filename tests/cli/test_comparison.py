import json
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
        "params": {"train.dnn.seed": 0},
        "data": {"test": "md5"},
        "rows": {"test": len(right)},
        "metrics": {TEST: {"accuracy": share, "log_loss": loss, "macro_f1": share}},
        "predictions": {TEST: predictions},
    }
    return Results(name, **(defaults | other))


def compared(lost: int, won: int, before: dict[str, Any] | None = None, **after: Any) -> Comparison:
    """Two results on 1,000 images, of which so many answers turned wrong and right."""
    table = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], (900 - lost - won, lost, won, 100), axis=0) == 1
    return compare(results("before", table[:, 0], **(before or {})), results("after", table[:, 1], **after))


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {change.metric: change.verdict for change in comparison.changes}


@pytest.mark.parametrize(
    ("lost", "won", "expected"),
    [(30, 0, "worse"), (0, 30, "better"), (12, 9, "within noise"), (1, 0, "within noise")],
)
def test_more_than_noise(lost: int, won: int, expected: str) -> None:
    found = verdicts(compared(lost, won))
    assert found == {"accuracy": expected, "log_loss": expected, "macro_f1": "not tested"}


@pytest.mark.parametrize(("lost", "expected"), [(90, "worse"), (12, "within noise")])
def test_counts_are_compared_without_predictions(lost: int, expected: str) -> None:
    comparison = compared(lost, 0, predictions={})
    found = verdicts(comparison)
    assert found == {"accuracy": expected, "log_loss": "not tested", "macro_f1": "not tested"}
    assert comparison.changes[0].reason.startswith("no predictions; Fisher p = ")
    assert verdicts(compared(lost, 0, {"rows": {}}, predictions={}))["accuracy"] == "not tested"


@pytest.mark.parametrize("metrics", [{TEST: {}}, {("linear", "test"): {"accuracy": 0.9}}])
def test_a_figure_or_a_model_that_is_gone_is_a_failure(metrics: dict[Any, Any]) -> None:
    gone = compared(0, 0, metrics=metrics).failures("worse")
    assert [change.metric for change in gone] == ["accuracy", "log_loss"]
    assert {change.verdict for change in gone} == {"gone"}


def test_metrics_that_one_revision_lacks() -> None:
    old, new = ({TEST: {"accuracy": 0.9}}, {TEST: {"accuracy": 0.9, "log_loss": 0.8, "brier_score": 0.2}})
    unchanged, added = compared(0, 0, {"metrics": old}, metrics=new).changes
    assert unchanged.verdict == "no change"
    assert added == (*TEST, "log_loss", None, 0.8, None, "not tested", "not in before")


def test_rounding_is_no_change() -> None:
    metrics = [{TEST: {"log_loss": loss}} for loss in (0.3, 0.3 * (1 + 1e-8))]
    assert verdicts(compared(0, 0, {"metrics": metrics[0]}, metrics=metrics[1])) == {"log_loss": "no change"}


def test_table_and_json() -> None:
    comparison = compared(30, 0, params={"train.dnn.seed": 1, "train.dnn.dropout": 0.2})
    table = comparison.as_table("github")
    assert "| train.dnn.dropout | (none)   | 0.2     |" in table
    assert "McNemar p = 1.9e-09" in table
    document = json.loads(comparison.as_json())
    assert (document["before"], document["after"]) == ("before", "after")
    assert document["params"]["train.dnn.seed"] == {"before": 0, "after": 1}
    first = document["metrics"][0]
    assert (first["metric"], first["verdict"]) == ("accuracy", "worse")
    assert first["change"] == pytest.approx(-0.03)


def test_a_table_fits_a_terminal_and_markdown_keeps_rows_on_one_line() -> None:
    why = "no predictions; Fisher p = 0.00083; 95 % intervals 0.939–0.957 → 0.960–0.974"
    metric = "log_loss_of_predicted_classes"
    change = Change("linear → dnn", "validation", metric, 1.4, None, -0.1, "within noise", why)
    params = {"train.dnn.augmentation.elastic_scale": (list(range(100)), None)}
    comparison = Comparison("before", "after", params, [change])
    _, first, second, _ = comparison.as_table("simple").split("\n\n")
    assert max(map(len, [*first.splitlines(), *second.splitlines()])) <= 120
    assert " ".join(line[100:].strip() for line in second.splitlines()[2:]) == why
    assert why in comparison.as_table("github")


def test_two_models_of_one_revision() -> None:
    first, second = (results("HEAD", np.arange(1000) < right) for right in (900, 990))
    params = {"train.dnn.seed": 0, "train.linear.seed": 1, "data.rows": 3}
    metrics = {TEST: first.metrics[TEST], ("linear", "test"): second.metrics[TEST]}
    predictions = {TEST: first.predictions[TEST], ("linear", "test"): second.predictions[TEST]}
    both = Results("HEAD", params, first.data, first.rows, metrics, predictions)
    comparison = compare(both.of_model("dnn", "pair"), both.of_model("linear", "pair"))
    assert (comparison.before, comparison.after) == ("dnn of HEAD", "linear of HEAD")
    assert comparison.params == {"train.seed": (0, 1)}
    assert comparison.changes[0][:3] == ("pair", "test", "accuracy")
    assert verdicts(comparison) == {"accuracy": "better", "log_loss": "better", "macro_f1": "not tested"}
    with pytest.raises(InputError, match="HEAD, --between: found no model 'cnn', expected one of dnn, lin"):
        both.of_model("cnn", "pair")


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
def test_conditions(condition: str, models: list[str]) -> None:
    assert [change.model for change in COMPARISON.failures(condition)] == models


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("accuracy < 1.2.3", "'worse', "), ("train/accuracy < 0.9", "one of test/accuracy, validation/log")],
)
def test_bad_conditions(condition: str, expected: str) -> None:
    with pytest.raises(InputError, match=f"--fail-if: found '{condition}', expected {expected}"):
        COMPARISON.failures(condition)
