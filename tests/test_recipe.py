import pytest
from pydantic import ValidationError

from tests import tiny


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_units": [100, 100], "dropout": 0.5, "snapshots": [1, 2, 6]},
        {"learning_rate": 1, "clip_norm": None, "momentum": 0},
        {"steps": 7, "periods": 7},
        {"steps": 1, "periods": 1, "snapshots": [1]},
    ],
)
def test_what_a_recipe_may_say(changes: dict[str, object]) -> None:
    recipe = tiny.recipe(**changes)
    assert {key: getattr(recipe, key) for key in changes} == changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"periods": 4}, "4 periods of 6 steps, expected steps to be a multiple of periods"),
        ({"periods": 12}, "12 periods of 6 steps"),
        ({"snapshots": [7]}, "a snapshot at step 7 of 6, expected snapshots up to the last step"),
        ({"snapshots": [2, 1]}, r"snapshots \[2, 1\], expected rising steps"),
        ({"snapshots": [2, 2]}, r"snapshots \[2, 2\], expected rising steps"),
        ({"snapshots": [0]}, "greater than 0"),
        ({"hidden_units": [0]}, "greater than 0"),
        ({"hidden_units": 100}, "valid list"),
        ({"dropout": 1.0}, "less than 1"),
        ({"dropout": float("nan")}, "less than 1"),
        ({"momentum": -0.1}, "greater than or equal to 0"),
        ({"l2": float("inf")}, "finite number"),
        ({"learning_rate": 0}, "greater than 0"),
        ({"learning_rate": float("inf")}, "finite number"),
        ({"learning_rate": "0.1"}, "valid number"),
        ({"clip_norm": 0}, "greater than 0"),
        ({"optimizer": "lion"}, "'adagrad', 'adam', 'adamw' or 'sgd'"),
        ({"normalization": "layer"}, "'batch'"),
        ({"schedule": "step"}, "'constant' or 'cosine'"),
        ({"averaging": 1.0}, "less than 1"),
        ({"input_dropout": 1.0}, "less than 1"),
        ({"weight_decay": -0.1}, "greater than or equal to 0"),
        ({"augmentation": {"rotation": 5.0}}, "augmentation.shift"),
        ({"batch_size": 2.0}, "valid integer"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"seed": 2**31}, "less than 2147483648"),
        ({"epochs": 3}, "not permitted"),
    ],
)
def test_what_a_recipe_may_not_say(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny.recipe(**changes)
