"""Train a network as the course does, with Keras' own loop."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.history import History, Period, Score
from digits.core.params import Recipe
from digits.core.snapshots import Snapshot, Snapshots
from digits.train.backend import keras, tf
from digits.train.batches import batches
from digits.train.checkpoint import Checkpoint
from digits.train.network import build, first_layer, normalization

#: Images scored at a time: bounds the memory of a full pass over a large split.
SCORING_BATCH = 2_500
#: A training has diverged when its training log loss is this many times the log loss of guessing.
DIVERGED = 10.0


@dataclass(frozen=True)
class Trained:
    """A trained network, its history and its snapshots.

    The network takes images ``[n, height, width]`` in 0–``pixel_maximum`` and returns logits.
    """

    model: "keras.Model"
    history: History
    snapshots: Snapshots

    @property
    def variables(self) -> list[tuple[str, str, int]]:
        """Name, shape and count of the numbers learnt, layer by layer: the rows of variables.csv."""
        return [
            (each.path, " × ".join(map(str, each.shape)), math.prod(each.shape))
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

    As in the course's first version, the loss is summed over a batch, each variable's gradient is clipped
    by its own norm, and all examples are reshuffled for each pass. A recipe can choose the mean loss over a
    batch, distorted images, a learning rate that falls along a cosine (Loshchilov and Hutter 2017), and
    running averages of the weights (Polyak and Juditsky 1992).

    ``report`` is called after each period. Training continues from the state in ``checkpoint``, if there is
    one, and saves its state there from time to time; this doesn't change the result. An InputError says that
    the training can't succeed: the loss is NaN or far above that of guessing, or all images get the same
    answer.
    """
    new = partial(
        build,
        recipe,
        height=train.height,
        width=train.width,
        pixel_maximum=train.pixel_maximum,
        classes=len(train.class_names),
    )
    model = new()
    period_steps = recipe.steps // recipe.periods
    model.compile(
        optimizer=_optimizer(recipe),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=recipe.loss_reduction),
        # Keras calls the callbacks once per this many steps: a call takes longer than a step.
        steps_per_execution=math.gcd(period_steps, *recipe.snapshot_steps),
        jit_compile=False,
    )
    watcher = _Watcher(model, recipe, train, validation, report, checkpoint)
    model.fit(
        batches(recipe, train, done=len(watcher.periods) * period_steps),
        initial_epoch=len(watcher.periods),
        epochs=recipe.periods,  # a period is an epoch to Keras, though not one pass over the examples
        steps_per_epoch=period_steps,
        callbacks=[keras.callbacks.TerminateOnNaN(), watcher],
        shuffle=False,  # batches() shuffles
        verbose=0,
    )
    trained = new()  # without the optimizer, which nobody needs any more
    trained.set_weights(model.get_weights())
    return Trained(trained, History(watcher.periods), Snapshots(first_layer(model).name, watcher.snapshots))


class _Watcher(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Scores the network after each period, takes the snapshots, saves checkpoints."""

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        train: Examples,
        validation: Examples,
        report: Callable[[Period], None],
        checkpoint: Checkpoint | None,
    ) -> None:
        super().__init__()
        self.recipe, self.train, self.validation = recipe, train, validation
        self.report, self.checkpoint = report, checkpoint
        self.score = scorer(model)
        self.periods: list[Period] = []
        self.snapshots: list[Snapshot] = []
        if checkpoint:
            checkpoint.restore(model)
            self.periods += checkpoint.periods
            self.snapshots += checkpoint.snapshots

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(self.model.optimizer.iterations.numpy())
        # Only a dense first layer has one weight per pixel, so only its weights can be drawn.
        if step in self.recipe.snapshot_steps and isinstance(first_layer(self.model), keras.layers.Dense):
            with _averaged(self.model):
                self.snapshots.append(_snapshot(step, self.model, self.train))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        step = int(self.model.optimizer.iterations.numpy())
        with _averaged(self.model):
            period = Period(epoch + 1, step, self.score(self.train), self.score(self.validation))
            _check_learning(period, self.model, self.train, self.recipe)
        self.periods.append(period)
        self.report(period)
        if self.checkpoint and self.checkpoint.due and step < self.recipe.steps:
            self.checkpoint.keep(self.model, self.periods, self.snapshots)


@contextmanager
def _averaged(model: Any) -> Iterator[None]:
    """While the block runs, replace the weights by their running averages, if the recipe has these."""
    if not model.optimizer.use_ema:
        yield
        return
    own = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)


def _snapshot(step: int, model: Any, train: Examples) -> Snapshot:
    """Return the first layer's weights and biases, with a batch normalization after it folded in."""
    layer = first_layer(model)
    weights, biases = layer.kernel.numpy(), layer.bias.numpy()
    following = model.layers[model.layers.index(layer) + 1 :]
    if following and isinstance(following[0], keras.layers.BatchNormalization):
        factor, offset = normalization(following[0])
        weights, biases = weights * factor, biases * factor + offset
    return Snapshot(step, weights.reshape(train.height, train.width, -1), biases)


def _optimizer(recipe: Recipe) -> "keras.optimizers.Optimizer":
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, recipe.steps)
    settings: dict[str, Any] = {
        "learning_rate": rate,
        "clipnorm": recipe.clip_norm,
        "use_ema": recipe.averaging > 0,
        "ema_momentum": recipe.averaging,
    }
    match recipe.optimizer:
        case "adagrad":
            accumulator = recipe.initial_accumulator
            return keras.optimizers.Adagrad(initial_accumulator_value=accumulator, **settings)
        case "adam":
            return keras.optimizers.Adam(**settings)
        case "adamw":  # Loshchilov and Hutter (2019)
            optimizer = keras.optimizers.AdamW(weight_decay=recipe.weight_decay, **settings)
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
            return optimizer
        case "sgd":
            return keras.optimizers.SGD(momentum=recipe.momentum, **settings)


def scorer(model: Any) -> Callable[[Examples], Score]:
    """Return a function that scores ``model`` on examples, with the weights it has at each call."""
    compiled = tf.function(
        lambda images: model(tf.cast(images, tf.float32), training=False),
        input_signature=[tf.TensorSpec([None, *model.input_shape[1:]], tf.uint8)],
    )

    def score(examples: Examples) -> Score:
        losses, correct = [], 0
        for start in range(0, len(examples), SCORING_BATCH):
            batch = examples.take(slice(start, start + SCORING_BATCH))
            images, labels = batch.images, batch.labels
            logits = compiled(tf.constant(images)).numpy().astype(np.float64)
            highest = logits.max(axis=1)
            # log-sum-exp, shifted by the highest logit so that exp can't overflow
            log_normalizers = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
            losses.append(log_normalizers - logits[np.arange(len(labels)), labels])
            correct += int((logits.argmax(axis=1) == labels).sum())
        error_rate = 1 - correct / len(examples)
        return Score(
            log_loss=float(np.concatenate(losses).mean()),
            log_loss_of_predicted_classes=error_rate * float(-np.log(np.finfo(np.float64).eps)),
            accuracy=correct / len(examples),
        )

    return score


def _check_learning(period: Period, model: Any, train: Examples, recipe: Recipe) -> None:
    """Raise an InputError if the training diverged, or if its hidden units are all dead."""
    loss, classes = period.train.log_loss, len(train.class_names)
    guessing = np.log(classes)
    problem = ""
    if not loss < DIVERGED * guessing:
        expected = f"a training log loss that falls from {guessing:.2g}, that of guessing {classes} classes"
        problem = f"expected {expected}; found {loss:.4g}"
    # Batch normalization centres units, so they can't all be dead, but its moving averages may still be off.
    # A network with one answer for all images can't have a lower loss than the entropy of the classes.
    elif recipe.hidden_units and not recipe.normalization and loss > _entropy(train) - 1e-4:
        logits = model(train.images[:SCORING_BATCH].astype(np.float32), training=False).numpy()
        if not np.ptp(logits, axis=0).any():
            problem = "the network answers all images the same: all units of a hidden layer are dead"
    if problem:
        clipping = ", or set clip_norm" if recipe.clip_norm is None else ""
        fix = f"Lower learning_rate ({recipe.learning_rate}){clipping}"
        raise InputError(f"training, period {period.period}", problem, fix)


def _entropy(examples: Examples) -> float:
    """The entropy of the classes' shares, in nats."""
    counts = np.bincount(examples.labels)
    shares = counts[counts > 0] / len(examples)
    return -float(np.sum(shares * np.log(shares)))
