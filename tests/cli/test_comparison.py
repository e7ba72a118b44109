import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from digits.cli.comparison import Change, Comparison, Limit, Results, compare
from digits.core.errors import InputError
from digits.core.predictions import Predictions

TEST = ("dnn", "test")


def answered(lost: int = 0, won: int = 0, *, both: int = 900, neither: int = 100) -> list[Predictions]:
    """Predictions before and after: how many answers of 1,000 or so turned wrong and right."""
    right = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], (both, lost, won, neither), axis=0).astype(bool)
    return [
        Predictions(
            class_names=("a", "b"),
            actual=np.zeros(len(right), np.intp),
            predicted=np.where(column, 0, 1),
            probability_of_actual=np.where(column, 0.9, 0.2),
            confidence=np.where(column, 0.9, 0.8),
        )
        for column in right.T
    ]


def results(predictions: Predictions, name: str = "before", *, paired: bool = True, **more: Any) -> Results:
    metrics = {
        "accuracy": float(predictions.right.mean()),
        "log_loss": float(predictions.losses.mean()),
        "macro_f1": float(predictions.right.mean()),
    }
    defaults: dict[str, Any] = {
        "params": {"train.dnn.seed": 0},
        "data": {"test": "md5"},
        "rows": {"test": len(predictions.right)},
        "metrics": {TEST: metrics},
        "predictions": {TEST: predictions} if paired else {},
    }
    return Results(name, **(defaults | more))


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {change.metric: change.verdict for change in comparison.changes}


def change_of(metric: str, comparison: Comparison) -> Change:
    (found,) = (change for change in comparison.changes if change.metric == metric)
    return found


@pytest.mark.parametrize(
    ("lost", "won", "expected"),
    [(30, 0, "worse"), (0, 30, "better"), (12, 9, "within noise"), (1, 0, "within noise")],
)
def test_what_is_more_than_noise(lost: int, won: int, expected: str) -> None:
    before, after = answered(lost, won)
    found = verdicts(compare(results(before), results(after, "after")))
    assert found == {"accuracy": expected, "log_loss": expected, "macro_f1": "not tested"}


def test_no_change_is_said() -> None:
    before, after = answered()
    comparison = compare(results(before), results(after, "after"))
    assert set(verdicts(comparison).values()) == {"no change"}
    assert "No change: all 3 figures are the same." in comparison.as_table("simple")
    assert "No parameter changed." in comparison.as_table("simple")


def test_rounding_is_no_change() -> None:
    before, after = answered()
    other = results(after, "after")
    other.metrics[TEST]["log_loss"] *= 1 + 1e-8  # type: ignore[index]
    change = change_of("log_loss", compare(results(before), other))
    assert (change.verdict, change.reason) == ("no change", "rounding")


def test_what_is_no_number_is_worse() -> None:
    before, after = answered()
    other = results(after, "after")
    other.metrics[TEST]["log_loss"] = float("nan")  # type: ignore[index]
    comparison = compare(results(before), other)
    assert verdicts(comparison)["log_loss"] == "worse"
    for condition in ("worse", "log_loss > 9", "log_loss change > 9"):
        assert [change.metric for change in Limit(condition).broken(comparison)] == ["log_loss"]
    assert json.loads(comparison.as_json())["metrics"][1]["after"] is None


def test_predictions_that_do_not_pair_are_not_paired() -> None:
    before, after = answered(30, 0)
    fewer, _ = answered(both=9, neither=1)
    damaged = dataclasses.replace(results(after, "after"), predictions={TEST: fewer})
    comparison = compare(results(before), damaged)
    assert "the predictions of after are not those of its metrics" in comparison.changes[0].reason


def test_predictions_left_from_another_run_are_not_believed() -> None:
    """The metrics are restored by git, the predictions are still those of the run before."""
    before, after = answered(100, 0)
    stale = dataclasses.replace(results(before, "stale"), predictions={TEST: after})
    comparison = compare(stale, results(after, "after"))
    assert verdicts(comparison)["accuracy"] == "worse"
    assert "the predictions of stale are not those of its metrics" in comparison.changes[0].reason
    assert Limit("worse").broken(comparison)


def test_a_figure_or_a_model_that_is_gone_fails_the_gate() -> None:
    before, after = answered()
    others: list[dict[Any, Any]] = [{TEST: {}}, {("linear", "test"): {"accuracy": 0.9}}]
    for metrics in others:
        comparison = compare(results(before), results(after, "after", metrics=metrics))
        gone = Limit("worse").broken(comparison)
        assert [change.metric for change in gone] == ["accuracy", "log_loss", "macro_f1"]
        assert {change.verdict for change in gone} == {"gone"}


@pytest.mark.parametrize(("accuracy", "rows"), [(5.0, 9), (0.5, 0)])
def test_accuracies_that_cannot_be_tested(accuracy: float, rows: int) -> None:
    predictions, _ = answered()
    before, after = (
        results(predictions, name, metrics={TEST: {"accuracy": value}}, rows={"test": rows}, paired=False)
        for name, value in (("before", 0.4), ("after", accuracy))
    )
    assert verdicts(compare(before, after)) == {"accuracy": "not tested"}


def test_json_has_no_words_for_what_is_no_number() -> None:
    before, after = answered()
    params = {"train.dnn.rate": float("nan")}
    comparison = compare(results(before), results(after, "after", params=params))
    assert json.loads(comparison.as_json())["params"]["train.dnn.rate"]["after"] is None


def test_without_predictions_counts_are_compared() -> None:
    before, after = answered(30, 0)
    comparison = compare(results(before, paired=False), results(after, "after", paired=False))
    assert verdicts(comparison) == {
        "accuracy": "worse" if _fisher(930, 900, 1030) < 0.05 else "within noise",
        "log_loss": "not tested",
        "macro_f1": "not tested",
    }
    assert "no predictions at hand" in change_of("accuracy", comparison).reason


def _fisher(before: int, after: int, examples: int) -> float:
    from scipy.stats import fisher_exact

    return float(fisher_exact([[before, examples - before], [after, examples - after]]).pvalue)


def test_other_data_is_never_tested() -> None:
    before, after = answered(300, 0)
    comparison = compare(results(before), results(after, "after", data={"test": "other md5"}))
    assert set(verdicts(comparison).values()) == {"other data"}
    assert Limit("worse").broken(comparison) == []


def test_changed_parameters_are_listed() -> None:
    before, after = answered()
    params = {"train.dnn.seed": 1, "train.dnn.dropout": 0.2}
    comparison = compare(results(before), results(after, "after", params=params))
    assert comparison.params == {"train.dnn.seed": (0, 1), "train.dnn.dropout": (None, 0.2)}
    table = comparison.as_table("github")
    assert "| train.dnn.dropout | (none)   | 0.2     |" in table


def test_a_figure_of_one_revision_alone() -> None:
    before, after = answered(9, 0)
    old = results(before)
    del old.metrics[TEST]["macro_f1"]  # type: ignore[attr-defined]
    change = change_of("macro_f1", compare(old, results(after, "after")))
    assert (change.before, change.change, change.verdict) == (None, None, "not tested")
    assert change.reason == "not in before"


def test_metrics_that_git_lacks_are_compared_where_both_are_at_hand() -> None:
    before, after = answered(9, 0)
    other: dict[str, Any] = {"other_metrics": {TEST: {"brier_score": 0.25}}}
    new = results(after, "after", **other)
    assert "brier_score" not in verdicts(compare(results(before), new))
    assert verdicts(compare(results(before, **other), new))["brier_score"] == "no change"


def test_two_models_of_one_revision() -> None:
    first, second = answered(0, 30)
    both = results(first)
    joined = Results(
        "HEAD",
        {"train.dnn.seed": 0, "train.linear.seed": 1, "data.rows": 3},
        both.data,
        both.rows,
        {TEST: both.metrics[TEST], ("linear", "test"): results(second).metrics[TEST]},
        {TEST: {"brier_score": 0.3}, ("linear", "test"): {"brier_score": 0.2}},
        {TEST: first, ("linear", "test"): second},
    )
    comparison = compare(joined.of_model("dnn", "pair"), joined.of_model("linear", "pair"))
    assert (comparison.before, comparison.after) == ("dnn of HEAD", "linear of HEAD")
    assert comparison.params == {"train.seed": (0, 1)}
    assert verdicts(comparison)["accuracy"] == "better"
    assert change_of("brier_score", comparison).change == pytest.approx(-0.1)
    assert {change.model for change in comparison.changes} == {"pair"}
    with pytest.raises(
        InputError, match="HEAD, --between: found no model 'cnn', expected one of dnn, linear"
    ):
        joined.of_model("cnn", "pair")


def test_json_has_all_of_it() -> None:
    before, after = answered(30, 0)
    comparison = compare(results(before), results(after, "after"))
    document = json.loads(comparison.as_json())
    assert (document["before"], document["after"], document["params"]) == ("before", "after", {})
    first = document["metrics"][0]
    assert first["metric"] == "accuracy"
    assert first["verdict"] == "worse"
    assert first["change"] == pytest.approx(-30 / 1030)


def test_without_metrics_there_is_nothing_to_compare() -> None:
    before, _ = answered()
    with pytest.raises(InputError, match="nowhere: found no metrics"):
        compare(results(before), results(before, "nowhere", metrics={}))


COMPARISON = Comparison(
    "before",
    "after",
    {},
    [
        Change("dnn", "test", "accuracy", 0.95, 0.94, "within noise", ""),
        Change("linear", "test", "accuracy", 0.91, 0.85, "worse", ""),
        Change("linear", "validation", "log_loss", 0.3, None, "not tested", ""),
    ],
)


@pytest.mark.parametrize(
    ("condition", "models"),
    [
        ("worse", ["linear"]),
        ("accuracy < 0.9", ["linear"]),
        ("test/accuracy<0.945", ["dnn", "linear"]),
        ("dnn/test/accuracy < 0.9", []),
        ("dnn/accuracy < 0.945", ["dnn"]),
        ("accuracy change < -0.02", ["linear"]),
        ("accuracy change < -1e-3", ["dnn", "linear"]),
        ("accuracy > 0.9", ["dnn"]),
        ("log_loss > 9", ["linear"]),  # gone, so not held
    ],
)
def test_conditions(condition: str, models: list[str]) -> None:
    assert [change.model for change in Limit(condition).broken(COMPARISON)] == models


@pytest.mark.parametrize(
    ("condition", "piece"),
    [
        ("accuracy", "expected 'worse', 'test/accuracy < 0.9'"),
        ("accuracy < x", "expected 'worse'"),
        ("accuracy < 1.2.3", "expected 'worse'"),
        ("train/accuracy < 0.9", "expected one of test/accuracy, validation/log_loss"),
        ("f1 < 0.9", "expected one of test/accuracy, validation/log_loss"),
    ],
)
def test_bad_conditions(condition: str, piece: str) -> None:
    with pytest.raises(InputError, match="--fail-if: found") as caught:
        Limit(condition).broken(COMPARISON)
    assert piece in str(caught.value)
