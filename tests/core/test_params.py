from pathlib import Path

import pytest
from pydantic import ValidationError

from digits.core.errors import InputError
from digits.core.params import load_params
from tests import tiny


def test_the_course_exercise_is_the_default(workspace: Path) -> None:
    params = load_params(workspace)
    assert (params.data.rows, params.data.validation_fraction) == (10_000, 0.25)
    linear, dnn = params.recipe("linear"), params.recipe("dnn")
    assert (linear.hidden_units, dnn.hidden_units) == ([], [100, 100])
    for recipe in (linear, dnn):
        assert (recipe.steps, recipe.batch_size, recipe.periods) == (1000, 30, 10)
        assert recipe.clip_norm == 5


def test_an_unknown_model_is_refused(workspace: Path) -> None:
    with pytest.raises(InputError, match="train: found no model 'cnn', expected one of linear, dnn"):
        load_params(workspace).recipe("cnn")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("fraction: 0.25", "fraction: .nan", "data.validation_fraction: expected less than 1, found nan"),
        (
            "periods: 10 ",
            "periods: 7 ",
            "train.linear: expected steps to be a multiple of periods, found 1000 steps in 7 periods",
        ),
    ],
)
def test_a_wrong_value_is_reported_with_its_key(workspace: Path, old: str, new: str, line: str) -> None:
    path = workspace / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_params(workspace)
    assert f"params.yaml, {line}" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"steps": 6, "periods": 1}, [6]),
        ({"steps": 100, "periods": 1}, [10, 100]),
        ({"steps": 500, "periods": 1}, [10, 100, 500]),
        ({"snapshots": []}, []),
        ({"snapshots": [2, 4]}, [2, 4]),
    ],
)
def test_snapshots_follow_the_steps(changes: dict[str, object], steps: list[int]) -> None:
    assert tiny.recipe(**({"snapshots": None} | changes)).snapshot_steps == steps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"periods": 4}, "expected steps to be a multiple of periods, found 6 steps in 4 periods"),
        ({"snapshots": [7]}, "expected snapshots up to step 6, found 7"),
        ({"snapshots": [2, 1]}, r"expected snapshots in rising order, found \[2, 1\]"),
    ],
)
def test_what_a_recipe_may_not_say(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny.recipe(**changes)
