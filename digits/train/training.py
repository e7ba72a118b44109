"""Train a network as the course does."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.history import History, Period, Score
from digits.core.params import Recipe
from digits.core.snapshots import Snapshot, Snapshots
from digits.core.variables import Variable
from digits.train.backend import keras, tf
from digits.train.batches import Batches, TakeSteps
from digits.train.checkpoint import Checkpoint
from digits.train.network import build, first_layer, normalization

#: Images scored at a time: bounds the memory of a full pass over a large split.
SCORING_BATCH = 2_500
#: A training log loss so many times that of guessing is no start that will get better.
DIVERGED = 10.0


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Attributes:
        model: takes images ``float32 [n, height, width]`` in 0–``pixel_maximum``, gives logits
            ``[n, classes]``.
        history: a row of figures for each period.
        snapshots: of the first layer.
    """

    model: "keras.Model"
    history: History
    snapshots: Snapshots

    @property
    def variables(self) -> list[Variable]:
        """What was learnt, layer by layer."""
        return [
            Variable(each.path, " × ".join(map(str, each.shape)), math.prod(each.shape))
            for each in self.model.trainable_variables
        ]


def train(
    recipe: Recipe,
    train: Examples,
    validation: Examples,
    *,
    report: Callable[[Period], None] = lambda period: None,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Train a network by ``recipe``, scoring it on both splits after each period.

    As in the course, the loss is summed over a batch, each variable's gradient is clipped by its own
    norm, and batches walk through a fresh shuffle of all examples again and again. Images may be
    distorted on the way, the learning rate may fall along a cosine (Loshchilov and Hutter 2017), and
    the network may be that of the weights' running averages (Polyak and Juditsky 1992).

    Args:
        recipe: the network and its training.
        train: what it learns from.
        validation: what it is scored on beside.
        report: called after each period, and at the start for each that lies behind ``checkpoint``.
        checkpoint: where to begin, and to keep what was reached from time to time; without it, at the
            first step, and nothing is kept. It changes nothing of what the training ends with.

    Raises:
        InputError: there is nothing to hope for: weights that are no longer finite numbers, a loss far
            beyond that of guessing, or one answer to all images.
    """
    model = build(
        recipe,
        height=train.height,
        width=train.width,
        pixel_maximum=train.pixel_maximum,
        classes=len(train.class_names),
    )
    optimizer = _optimizer(recipe)
    optimizer.build(model.trainable_variables)
    batches = Batches(recipe, train)
    take_steps = _step_taker(model, optimizer, batches)
    score = scorer(model)
    period_steps = recipe.steps // recipe.periods
    period_ends = range(period_steps, recipe.steps + 1, period_steps)
    periods: list[Period] = []
    snapshots: list[Snapshot] = []
    done = 0
    if checkpoint and checkpoint.step:
        done = checkpoint.step
        periods, snapshots = _restore(checkpoint.state, model, optimizer)
        for period in periods:
            report(period)
    for step in batches.take(sorted({*period_ends, *recipe.snapshots}), take_steps, done):
        _check_weights(model, recipe, len(periods) + 1, step)
        if step in recipe.snapshots or step in period_ends:
            with _averaged(model, optimizer):
                if step in recipe.snapshots:
                    snapshots.append(_snapshot(step, model, train))
                if step in period_ends:
                    period = Period(len(periods) + 1, step, score(train), score(validation))
                    periods.append(period)
            if step in period_ends:
                _check_learning(periods[-1], model, train, recipe)
                report(periods[-1])
        if checkpoint and checkpoint.due:
            checkpoint.keep(step, _state(model, optimizer, periods, snapshots))
    optimizer.finalize_variable_values(model.trainable_variables)
    return Trained(model, History(periods), Snapshots(first_layer(model).name, snapshots))


def _state(
    model: Any, optimizer: Any, periods: list[Period], snapshots: list[Snapshot]
) -> dict[str, NDArray[Any]]:
    """All that the steps to come depend on, and what was gathered so far, as arrays by name."""
    return {
        **{f"variable_{at}": variable.numpy() for at, variable in enumerate(_variables(model, optimizer))},
        "periods": np.array(
            [[at.period, at.step, *astuple(at.train), *astuple(at.validation)] for at in periods]
        ),
        "snapshot_steps": np.array([at.step for at in snapshots], np.int64),
        **{f"weights_{at.step}": at.weights for at in snapshots},
        **{f"biases_{at.step}": at.biases for at in snapshots},
    }


def _restore(
    state: dict[str, NDArray[Any]], model: Any, optimizer: Any
) -> tuple[list[Period], list[Snapshot]]:
    """Put back what :func:`_state` took, periods and snapshots to be gone on with."""
    for at, variable in enumerate(_variables(model, optimizer)):
        variable.assign(state[f"variable_{at}"])
    periods = [
        Period(int(period), int(step), Score(*figures[:3]), Score(*figures[3:]))
        for period, step, *figures in state["periods"].tolist()
    ]
    snapshots = [
        Snapshot(step, state[f"weights_{step}"], state[f"biases_{step}"])
        for step in state["snapshot_steps"].tolist()
    ]
    return periods, snapshots


def _variables(model: Any, optimizer: Any) -> list[Any]:
    """Of the network, with its layers' random states, and of the optimizer, with its moments and averages."""
    return [*model.variables, *optimizer.variables]


@contextmanager
def _averaged(model: Any, optimizer: Any) -> Iterator[None]:
    """While the block runs, the weights are their running averages, if the recipe asks for these."""
    if not optimizer.use_ema:
        yield
        return
    own = [variable.numpy() for variable in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)


def _snapshot(step: int, model: Any, train: Examples) -> Snapshot:
    """The first layer as it acts on the pixels: a normalization behind it is a factor and a bias more."""
    layer = first_layer(model)
    weights, biases = layer.kernel.numpy(), layer.bias.numpy()
    following = model.layers[model.layers.index(layer) + 1 :][:1]
    if following and isinstance(following[0], keras.layers.BatchNormalization):
        factor, offset = normalization(following[0])
        weights, biases = weights * factor, biases * factor + offset
    return Snapshot(step, weights.reshape(train.height, train.width, -1), biases)


def _step_taker(model: Any, optimizer: Any, batches: Batches) -> TakeSteps:
    """A compiled function that takes a step for each batch of images and labels.

    One call for many steps: a Python call for each would cost more than the step. Compiled once, for
    any number of steps.
    """
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
    size, train = batches.recipe.batch_size, batches.train

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, size, train.height, train.width], batches.dtype),
            tf.TensorSpec([None, size], tf.int32),
        ]
    )
    def take_steps(images, labels):  # type: ignore[no-untyped-def]
        for step in tf.range(tf.shape(labels)[0]):
            x = tf.cast(images[step], tf.float32)
            with tf.GradientTape() as tape:
                loss = loss_of(labels[step], model(x, training=True))
                loss += sum(model.losses)  # the penalties of l1 and l2
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)

    return lambda images, labels: take_steps(tf.constant(images), tf.constant(labels))


def _optimizer(recipe: Recipe) -> "keras.optimizers.Optimizer":
    rate = recipe.learning_rate
    common = {
        "learning_rate": keras.optimizers.schedules.CosineDecay(rate, recipe.steps)
        if recipe.schedule == "cosine"
        else rate,
        "clipnorm": recipe.clip_norm,
        "use_ema": recipe.averaging > 0,
        "ema_momentum": recipe.averaging,
    }
    match recipe.optimizer:
        case "adagrad":
            return keras.optimizers.Adagrad(initial_accumulator_value=recipe.initial_accumulator, **common)
        case "adam":
            return keras.optimizers.Adam(**common)
        case "adamw":  # Loshchilov and Hutter (2019)
            optimizer = keras.optimizers.AdamW(weight_decay=recipe.weight_decay, **common)
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
            return optimizer
        case "sgd":
            return keras.optimizers.SGD(momentum=recipe.momentum, **common)


def scorer(model: Any) -> Callable[[Examples], Score]:
    """A function that gives the network's figures on examples, by the weights that it has by then.

    It is compiled: layer by layer takes twice as long.
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, *model.input_shape[1:]], tf.uint8),
            tf.TensorSpec([None], tf.int32),
        ]
    )
    def sums(images, labels):  # type: ignore[no-untyped-def]
        logits = model(tf.cast(images, tf.float32), training=False)
        # In float64, so that the sum doesn't depend on how many batches there were.
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float64))
        likeliest = tf.argmax(logits, axis=1, output_type=tf.int32)
        return tf.reduce_sum(losses), tf.math.count_nonzero(likeliest == labels)

    def score(examples: Examples) -> Score:
        losses, correct = 0.0, 0
        for start in range(0, len(examples), SCORING_BATCH):
            rows = slice(start, start + SCORING_BATCH)
            images, labels = examples.images[rows], examples.labels[rows].astype(np.int32)
            loss, right = sums(tf.constant(images), tf.constant(labels))
            losses += float(loss)
            correct += int(right)
        error_rate = 1 - correct / len(examples)
        return Score(
            log_loss=losses / len(examples),
            log_loss_of_predicted_classes=error_rate * float(-np.log(np.finfo(np.float64).eps)),
            accuracy=correct / len(examples),
        )

    return score


def _check_weights(model: Any, recipe: Recipe, period: int, step: int) -> None:
    if not all(np.isfinite(variable.numpy()).all() for variable in model.trainable_variables):
        raise InputError(
            f"training, period {period}, by step {step}",
            found="weights that are no finite numbers",
            expected="finite ones",
            do=_calm(recipe),
        )


def _check_learning(period: Period, model: Any, train: Examples, recipe: Recipe) -> None:
    """Refuse to go on where there is nothing to wait for."""
    loss, classes = period.train.log_loss, len(train.class_names)
    where = f"training, period {period.period}"
    if not loss < DIVERGED * np.log(classes):
        raise InputError(
            where,
            found=f"a training log loss of {loss:.4g}",
            expected=f"one that falls from some {np.log(classes):.2g}, that of guessing {classes} classes",
            do=_calm(recipe),
        )
    # A network that has one answer to all images can't do better than to know how frequent the classes are.
    shares = np.bincount(train.labels, minlength=classes) / len(train)
    known = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
    # Normalized layers are centred, whatever their averages say so far.
    if loss > known - 1e-4 and recipe.hidden_units and not recipe.normalization:
        logits = model(train.images[:SCORING_BATCH].astype(np.float32), training=False).numpy()
        if not np.ptp(logits, axis=0).any():
            raise InputError(
                where,
                found="the same answer to every image: a hidden layer whose units are all dead",
                expected="answers that differ",
                do=_calm(recipe),
            )


def _calm(recipe: Recipe) -> str:
    clipping = ", or set clip_norm" if recipe.clip_norm is None else ""
    return f"lower learning_rate ({recipe.learning_rate}){clipping}"
