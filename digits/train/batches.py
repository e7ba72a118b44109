"""The examples of each training step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.core.examples import Examples
from digits.core.params import Recipe
from digits.train.augmentation import Distorter
from digits.train.backend import tf

#: Steps whose examples are made ready ahead.
AHEAD = 16


def batches(recipe: Recipe, train: Examples, *, done: int = 0) -> "tf.data.Dataset":
    """Images ``[batch, height, width]`` and labels ``[batch]`` of each step after the first ``done``.

    Batches walk through shuffle after shuffle of all examples, as the course's do. What a step gets
    depends on the recipe, the examples and the step's number alone, so that a training can go on from
    any step. Images are made ready on another core while the steps before are taken.
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
    threads = tf.data.Options()
    threads.threading.private_threadpool_size = 1
    return dataset.map(examples).prefetch(AHEAD).with_options(threads)


def _order(examples: int, recipe: Recipe) -> NDArray[np.int32]:
    """Indices ``[steps, batch]`` of a walk through shuffle after shuffle of all examples."""
    random = np.random.default_rng(recipe.seed)
    needed = recipe.steps * recipe.batch_size
    passes = [random.permutation(examples) for _ in range(-(-needed // examples))]
    return np.concatenate(passes)[:needed].astype(np.int32).reshape(recipe.steps, recipe.batch_size)
