"""The first layer's weights at some steps of a training, handed on in snapshots.npz."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digits.core.files import reading, replacing

#: The name of a network's last layer, which is its first one too where there is no hidden layer.
OUTPUT_LAYER = "logits"


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The first layer at one step: weights ``float32 [height, width, units]``, biases ``[units]``."""

    step: int
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Snapshots:
    """The snapshots ``taken`` in one training, in order, and the name of the first layer.

    ``taken`` is empty if the first layer isn't dense.
    """

    layer: str
    taken: Sequence[Snapshot]

    @property
    def hidden(self) -> bool:
        """True if the first layer is hidden; else it is the output layer, whose units are the classes."""
        return self.layer != OUTPUT_LAYER

    def save(self, path: Path) -> None:
        """Write a ``.npz`` file that :meth:`load` reads: steps, weights, biases and the layer's name."""
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(
                file,
                steps=np.array([each.step for each in self.taken], np.int64),
                weights=np.array([each.weights for each in self.taken], np.float32),
                biases=np.array([each.biases for each in self.taken], np.float32),
                layer=np.array(self.layer),
            )

    @classmethod
    def load(cls, path: Path) -> "Snapshots":
        """Read what :meth:`save` wrote, without TensorFlow."""
        with reading(path, "train"), path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            rows = zip(archive["steps"].tolist(), archive["weights"], archive["biases"], strict=True)
            return cls(str(archive["layer"]), [Snapshot(*row) for row in rows])
