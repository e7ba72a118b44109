import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.special import softmax

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.history import Period
from digits.core.params import Recipe
from digits.evaluate.metrics import Answers, evaluate
from digits.train.augmentation import Distorter
from digits.train.backend import keras
from digits.train.network import build
from digits.train.training import scorer, train
from tests import tiny

TRAIN = tiny.examples(10)
VALIDATION = tiny.examples(7, seed=1)


def trained_weights(**changes: object) -> list[bytes]:
    model = train(tiny.recipe(**changes), TRAIN, VALIDATION).model
    return [array.tobytes() for array in model.get_weights()]


def built(**changes: object) -> Any:
    return build(tiny.recipe(**changes), height=2, width=3, pixel_maximum=16, classes=3)


def test_a_linear_classifier_starts_at_zero_and_a_dense_network_at_glorots_weights() -> None:
    assert not any(array.any() for array in built(hidden_units=[]).get_weights())
    arrays = built(hidden_units=[50, 40]).get_weights()
    assert [array.shape for array in arrays] == [(6, 50), (50,), (50, 40), (40,), (40, 3), (3,)]
    for kernel, bias in zip(arrays[::2], arrays[1::2], strict=True):
        limit = np.sqrt(6 / sum(kernel.shape))
        assert 0.9 * limit < np.abs(kernel).max() <= limit
        assert_array_equal(bias, 0)


def test_no_two_layers_start_alike_and_the_seed_decides() -> None:
    """All layers of all seeds start with different weights."""
    starts = [
        kernel.tobytes()
        for seed in range(4)
        for kernel in built(hidden_units=[6, 6, 6], seed=seed).get_weights()[:6:2]
    ]
    assert len(set(starts)) == 12
    assert built(hidden_units=[6, 6, 6]).get_weights()[2].tobytes() == starts[1]


def gradient_descent(recipe: Recipe, examples: Examples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Multinomial logistic regression in NumPy: the kernel and bias after the recipe's steps."""
    x = examples.images.reshape(len(examples), -1) / examples.pixel_maximum
    y = np.eye(len(examples.class_names))[examples.labels]
    random = np.random.default_rng(recipe.seed)
    order = np.concatenate([random.permutation(len(x)) for _ in range(recipe.steps * recipe.batch_size)])
    variables = [np.zeros((x.shape[1], y.shape[1])), np.zeros(y.shape[1])]
    memory = [
        np.full_like(v, recipe.initial_accumulator * (recipe.optimizer == "adagrad")) for v in variables
    ]
    averages = variables
    distorter = Distorter(recipe.augmentation, examples.height, examples.width)
    for step in range(recipe.steps):
        batch = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        kernel, bias = variables
        pixels = x[batch]
        if not recipe.augmentation.off:
            distorted = distorter(examples.images[batch], np.random.default_rng([recipe.seed, step + 1]))
            pixels = distorted.reshape(len(batch), -1) / examples.pixel_maximum
        error = softmax(pixels @ kernel + bias, axis=1) - y[batch]
        rate = recipe.learning_rate
        if recipe.schedule == "cosine":
            rate *= (1 + np.cos(np.pi * step / recipe.steps)) / 2
        if recipe.loss_reduction == "mean":
            error /= len(batch)
        penalty = recipe.l1 * np.sign(kernel) + 2 * recipe.l2 * kernel
        for i, gradient in enumerate([pixels.T @ error + penalty, error.sum(axis=0)]):
            if recipe.clip_norm is not None:
                gradient = gradient * min(1, recipe.clip_norm / np.linalg.norm(gradient))
            if recipe.optimizer == "adagrad":
                memory[i] += gradient**2
                variables[i] = variables[i] - rate * gradient / np.sqrt(memory[i] + 1e-7)
            else:
                memory[i] = recipe.momentum * memory[i] - rate * gradient
                variables[i] = variables[i] + memory[i]
        keep = recipe.averaging if step else 0.0
        averages = [keep * a + (1 - keep) * v for a, v in zip(averages, variables, strict=True)]
    return averages[0], averages[1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch_size": 3, "steps": 20, "seed": 7},
        {"l1": 0.05},
        {"l2": 0.2},
        {"clip_norm": 0.3},
        {"loss_reduction": "mean", "l2": 0.2},
        {"momentum": 0.9},
        {"optimizer": "adagrad", "clip_norm": 0.3, "l2": 0.2, "initial_accumulator": 0.5},
        {"schedule": "cosine", "optimizer": "adagrad", "steps": 20},
        {"averaging": 0.6, "schedule": "cosine", "momentum": 0.5, "snapshots": [2, 5]},
        {"augmentation": {"rotation": 30.0, "elastic": 0.3}, "steps": 20, "periods": 4},
    ],
)
def test_training_takes_the_steps_that_the_recipe_says(changes: dict[str, object]) -> None:
    recipe = tiny.recipe(**changes)
    expected = gradient_descent(recipe, TRAIN)
    found = train(recipe, TRAIN, VALIDATION).model.get_weights()
    for found_array, expected_array in zip(found, expected, strict=True):
        assert_allclose(found_array, expected_array, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam"},
        {"optimizer": "adamw"},
        {"dropout": 0.5},
        {"input_dropout": 0.5},
        {"normalization": "batch"},
    ],
)
def test_the_other_settings_act_too(changes: dict[str, object]) -> None:
    plain = {"hidden_units": [8, 8]}
    assert trained_weights(**plain, **changes) != trained_weights(**plain)


def test_weight_decay_shrinks_the_kernels() -> None:
    """AdamW shrinks them, and nothing else, by learning rate × weight decay × weight in each step."""
    changes: dict[str, object] = {"hidden_units": [4], "normalization": "batch", "steps": 1, "periods": 1}
    before = built(**changes).get_weights()
    plain, decayed = (
        train(tiny.recipe(optimizer="adamw", weight_decay=decay, **changes), TRAIN, VALIDATION).model
        for decay in (0.0, 0.5)
    )
    names = [variable.path.rpartition("/")[2] for variable in plain.weights]
    assert names.count("kernel") == 2
    arrays = zip(names, before, plain.get_weights(), decayed.get_weights(), strict=True)
    for name, old, without, found in arrays:
        expected = without - 0.1 * 0.5 * old if name == "kernel" else without
        assert_allclose(found, expected, rtol=1e-5, atol=1e-7, err_msg=name)


def test_periods_are_equal_parts_scored_on_both_splits() -> None:
    reported: list[Period] = []
    trained = train(tiny.recipe(steps=6, periods=3), TRAIN, VALIDATION, report=reported.append)
    assert [(period.period, period.step) for period in trained.history.periods] == [(1, 2), (2, 4), (3, 6)]
    assert reported == trained.history.periods
    assert trained.history.periods[-1].train == scorer(trained.model)(TRAIN)
    assert trained.history.periods[-1].validation == scorer(trained.model)(VALIDATION)
    after_two = train(tiny.recipe(steps=2, periods=1), TRAIN, VALIDATION)
    assert trained.history.periods[0].train == scorer(after_two.model)(TRAIN)


def test_snapshots_are_the_first_layer_after_that_many_steps() -> None:
    trained = train(tiny.recipe(hidden_units=[5], snapshots=[1, 6]), TRAIN, VALIDATION)
    assert trained.snapshots.layer == "hidden_1"
    assert [taken.step for taken in trained.snapshots.taken] == [1, 6]
    for snapshot in trained.snapshots.taken:
        short = tiny.recipe(hidden_units=[5], steps=snapshot.step, periods=1)
        kernel, bias, *_ = train(short, TRAIN, VALIDATION).model.get_weights()
        assert_array_equal(snapshot.weights, kernel.reshape(2, 3, -1))
        assert_array_equal(snapshot.biases, bias)


def test_a_snapshot_of_a_normalized_layer_is_what_its_units_see() -> None:
    recipe = tiny.recipe(hidden_units=[5], normalization="batch", averaging=0.9, snapshots=[6])
    trained = train(recipe, TRAIN, VALIDATION)
    (snapshot,) = trained.snapshots.taken
    pixels = TRAIN.images.reshape(len(TRAIN), -1).astype(np.float32) / 16
    until_relu = keras.Sequential(trained.model.layers[:-2])  # neither the ReLU nor the logits
    expected = until_relu(TRAIN.images.astype(np.float32))
    assert_allclose(pixels @ snapshot.weights.reshape(6, 5) + snapshot.biases, expected, rtol=1e-4, atol=1e-5)


def test_there_are_no_snapshots_of_a_first_layer_that_is_not_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    def convolutional(*_: object, **__: object) -> Any:
        zeros = {"kernel_initializer": "zeros"}
        layers = [
            keras.layers.Conv1D(2, 2, name="convolution", **zeros),
            keras.layers.Flatten(),
            keras.layers.Dense(3, **zeros),
        ]
        return keras.Sequential([keras.Input((2, 3)), *layers])

    monkeypatch.setattr("digits.train.training.build", convolutional)
    snapshots = train(tiny.recipe(snapshots=[1, 6]), TRAIN, VALIDATION).snapshots
    assert (snapshots.layer, snapshots.taken) == ("convolution", [])


def test_score_agrees_with_the_evaluation() -> None:
    model = train(tiny.recipe(hidden_units=[5]), TRAIN, VALIDATION).model
    logits = np.asarray(model(VALIDATION.images.astype(np.float32)))
    figures = evaluate(Answers.from_logits(VALIDATION.labels, logits))
    for name, figure in dataclasses.asdict(scorer(model)(VALIDATION)).items():
        assert figure == pytest.approx(figures[name], rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": 1e38}, r"training log loss .*; found nan. Lower learning_rate \(1e\+38\)"),
        (
            {"learning_rate": 1e6, "clip_norm": 5.0},
            r"found 6\.5.*e\+06. .*learning_rate \(1000000\.0\)\.$",
        ),
        (
            {"hidden_units": [4, 4], "optimizer": "adam", "learning_rate": 10.0, "steps": 60},
            "the network answers all images the same: all units of a hidden layer are",
        ),
    ],
)
def test_a_diverging_or_collapsed_training_ends_early(changes: dict[str, object], message: str) -> None:
    reported: list[Period] = []
    with pytest.raises(InputError, match=f"^training, period 1: .*{message}"):
        train(tiny.recipe(**changes), TRAIN, VALIDATION, report=reported.append)
    assert not reported
