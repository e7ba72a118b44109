"""The examples of each training step."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.core.examples import Examples
from digits.core.params import Recipe
from digits.train.augmentation import Distorter
from digits.train.backend import tf

#: The number of steps whose examples are prepared ahead.
AHEAD = 16


def batches(recipe: Recipe, train: Examples, *, done: int = 0) -> "tf.data.Dataset":
    """Images ``[batch, height, width]`` and labels ``[batch]`` of each step after the first ``done``.

    As in the course, all examples are reshuffled for each pass, and batches may span two passes. What a
    step gets depends on the recipe, the examples and the step's number alone, so that a training can
    continue from any step. Images are prepared on another core during the previous steps.
    """
    images, labels = tf.constant(train.images), tf.constant(train.labels.astype(np.int32))
    distorter = Distorter(recipe.augmentation, train.height, train.width)

    def distorted(step: NDArray[np.int64], plain: NDArray[np.uint8]) -> NDArray[np.float32]:
        return distorter(plain, np.random.default_rng([recipe.seed, int(step)]))

    def examples(step: Any, rows: Any) -> tuple[Any, Any]:
        batch = tf.gather(images, rows)
        if not recipe.augmentation.off:
            shape = batch.shape
            batch = tf.ensure_shape(tf.numpy_function(distorted, [step, batch], tf.float32), shape)
        return batch, tf.gather(labels, rows)

    steps = np.arange(1, recipe.steps + 1)
    dataset = tf.data.Dataset.from_tensor_slices((steps[done:], _order(len(train), recipe)[done:]))
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    return dataset.map(examples).prefetch(AHEAD).with_options(options)


def _order(example_count: int, recipe: Recipe) -> NDArray[np.int32]:
    """Indices ``[steps, batch]`` of shuffled passes over all examples, one after another."""
    random = np.random.default_rng(recipe.seed)
    needed = recipe.steps * recipe.batch_size
    passes = [random.permutation(example_count) for _ in range(math.ceil(needed / example_count))]
    return np.concatenate(passes)[:needed].astype(np.int32).reshape(recipe.steps, recipe.batch_size)
