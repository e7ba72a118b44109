from pathlib import Path

import pytest
import yaml

from digits.errors import InputError
from stages.params import load_params


def test_every_value_arrives(workspace: Path) -> None:
    written = yaml.safe_load((workspace / "params.yaml").read_text())
    assert load_params(workspace).model_dump() == written


def test_the_course_exercise_is_the_default(workspace: Path) -> None:
    params = load_params(workspace)
    assert (params.data.rows, params.data.validation_fraction) == (10_000, 0.25)
    linear, dnn = params.recipe("linear"), params.recipe("dnn")
    assert (linear.hidden_units, dnn.hidden_units) == ([], [100, 100])
    for recipe in (linear, dnn):
        assert (recipe.steps, recipe.batch_size, recipe.periods, recipe.clip_norm) == (
            1000,
            30,
            10,
            5.0,
        )


def test_an_unknown_model_is_refused(workspace: Path) -> None:
    with pytest.raises(InputError, match="train: found no model 'cnn', expected one of linear, dnn"):
        load_params(workspace).recipe("cnn")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("rows: 10000", "rows: ten", "data.rows: found 'ten', expected a valid integer"),
        ("rows: 10000", "rows: 0", "data.rows: found 0, expected greater than 0"),
        (
            "fraction: 0.25",
            "fraction: 1.5",
            "data.validation_fraction: found 1.5, expected less than 1",
        ),
        (
            "fraction: 0.25",
            "fraction: .nan",
            "data.validation_fraction: found nan, expected less than 1",
        ),
        ("fraction: 0.2 ", "fraction: 0 ", "data.test_fraction: found 0, expected greater than 0"),
        (
            "source: digits",
            "source: ''",
            "data.source: found '', expected string should have at least 1",
        ),
        ("  source: digits", "  sauce: digits", "data.sauce: found an unknown key"),
        ("optimizer: adagrad", "optimizer: adagard", "train.linear.optimizer: found 'adagard'"),
        ("periods: 10 ", "periods: 7 ", "train.linear: found 7 periods of 1000 steps"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(workspace: Path, old: str, new: str, line: str) -> None:
    path = workspace / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_params(workspace)
    assert f"params.yaml, {line}" in str(caught.value)
