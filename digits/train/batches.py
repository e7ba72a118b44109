"""The examples of each training step, made ready while the step before is taken."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.core.examples import Examples
from digits.core.params import Recipe
from digits.train.augmentation import Distorter

#: Bytes of images that are made at a time: enough steps to hide what a call costs, little memory.
CHUNK = 32_000_000

#: Takes a step for each row of images ``[steps, batch, height, width]`` and labels ``[steps, batch]``.
TakeSteps = Callable[[NDArray[Any], NDArray[np.int32]], None]


class Batches:
    """What a training learns from, step by step; steps count from 1.

    Batches walk through shuffle after shuffle of all examples. What a step gets depends on the recipe,
    the examples and the step's number alone, not on how many are made at a time or by whom.
    """

    def __init__(self, recipe: Recipe, train: Examples) -> None:
        self.train = train
        self.recipe = recipe
        self.labels = train.labels.astype(np.int32)
        self.order = _order(len(train), recipe)
        self.distorter = (
            None if recipe.augmentation.off else Distorter(recipe.augmentation, train.height, train.width)
        )

    @property
    def dtype(self) -> type[np.uint8] | type[np.float32]:
        """Of the images: bytes as they are in the data, or distorted."""
        return np.float32 if self.distorter else np.uint8

    def take(self, stops: Sequence[int], take_steps: TakeSteps, done: int = 0) -> Iterator[int]:
        """Have the steps after ``done`` taken; gives the last one taken at each of ``stops``, which rise, and
        as often between them as images are made.
        """
        chunks = list(self._chunks(stops, done))
        if not chunks:
            return
        # The next chunk is made on another core: NumPy and TensorFlow both let go of the interpreter.
        with ThreadPoolExecutor(1) as maker:
            ready = maker.submit(self.examples, *chunks[0])
            for at, (_, end) in enumerate(chunks):
                images, labels = ready.result()
                if at + 1 < len(chunks):
                    ready = maker.submit(self.examples, *chunks[at + 1])
                take_steps(images, labels)
                yield end

    def examples(self, start: int, end: int) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Images ``[steps, batch, height, width]`` and labels of the steps after ``start`` up to ``end``."""
        rows = self.order[start:end]
        images, labels = self.train.images[rows], self.labels[rows]
        if not self.distorter:
            return images, labels
        distorted = np.empty(images.shape, np.float32)
        for number, of_step in enumerate(images):
            random = np.random.default_rng([self.recipe.seed, start + number])
            distorted[number] = self.distorter(of_step, random)
        return distorted, labels

    def _chunks(self, stops: Sequence[int], done: int) -> Iterator[tuple[int, int]]:
        """Where chunks of steps begin and end; none goes over a stop."""
        step_bytes = self.recipe.batch_size * self.train.height * self.train.width * 4
        most = max(1, CHUNK // step_bytes)
        for stop in stops:
            while done < stop:
                end = min(done + most, stop)
                yield done, end
                done = end


def _order(examples: int, recipe: Recipe) -> NDArray[np.int32]:
    """Indices ``[steps, batch]`` of a walk through shuffle after shuffle of all examples."""
    random = np.random.default_rng(recipe.seed)
    needed = recipe.steps * recipe.batch_size
    passes = [random.permutation(examples) for _ in range(-(-needed // examples))]
    return np.concatenate(passes)[:needed].astype(np.int32).reshape(recipe.steps, recipe.batch_size)
