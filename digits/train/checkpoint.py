"""Save the state of a training, so that it can continue after a kill and end with the same bytes."""

import hashlib
import shutil
import time
from contextlib import suppress
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from digits.core.errors import InputError
from digits.core.examples import Examples
from digits.core.files import replacing_folder
from digits.core.history import History, Period
from digits.core.params import Recipe
from digits.core.snapshots import Snapshot, Snapshots
from digits.train.backend import keras, tf

#: Seconds after which a state is saved, at the next end of a period. A shorter training saves none.
INTERVAL = 15.0


class Checkpoint:
    """A folder with the last state of one training, and the periods and snapshots so far.

    A state can be used only with the same recipe, examples, code and libraries. The state of another
    training is ignored, and overwritten when this training saves its first state.
    """

    def __init__(self, folder: Path, recipe: Recipe, *splits: Examples) -> None:
        self.folder = folder
        self.recipe, self.splits = recipe, splits
        self.kept_at = time.monotonic()
        self.periods: list[Period] = []
        self.snapshots: list[Snapshot] = []
        self.variables: list[NDArray[Any]] = []
        with suppress(BadZipFile, InputError, OSError, ValueError):  # nothing there, or a damaged file
            if (folder / "key.txt").read_text() == self.key:
                content = BytesIO((folder / "variables.npz").read_bytes())
                with np.load(content, allow_pickle=False) as archive:
                    variables = list(archive.values())
                snapshots = list(Snapshots.load(folder / "snapshots.npz").taken)
                self.periods += History.load(folder / "history.csv").periods
                self.snapshots, self.variables = snapshots, variables

    @property
    def step(self) -> int:
        """The number of steps that the saved state has done."""
        return self.periods[-1].step if self.periods else 0

    @property
    def due(self) -> bool:
        """Whether it is time to save a state again."""
        return time.monotonic() - self.kept_at >= INTERVAL

    def keep(self, model: Any, periods: list[Period], snapshots: list[Snapshot]) -> None:
        """Save the state of a compiled model, its periods and snapshots, in place of the last state."""
        with replacing_folder(self.folder) as folder:
            np.savez(folder / "variables.npz", *(variable.numpy() for variable in _variables(model)))
            History(periods).save(folder / "history.csv")
            Snapshots("", snapshots).save(folder / "snapshots.npz")
            (folder / "key.txt").write_text(self.key)
        self.kept_at = time.monotonic()

    def restore(self, model: Any) -> None:
        """Put a compiled model into the saved state, if there is one."""
        if self.variables:
            model.optimizer.build(model.trainable_variables)
            for variable, value in zip(_variables(model), self.variables, strict=True):
                variable.assign(value)

    def remove(self) -> None:
        """Delete the saved state; call this once the trained model has been written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @cached_property
    def key(self) -> str:
        """A digest of all that decides what the training ends with."""
        digest = hashlib.sha256(self.recipe.model_dump_json().encode())
        package = Path(__file__).parents[1]
        for source in sorted([*package.glob("train/*.py"), *package.glob("core/*.py")]):
            digest.update(source.read_bytes())
        for split in self.splits:
            digest.update(split.digest())
        digest.update(f"{keras.__version__} {tf.__version__} {np.__version__}".encode())
        return digest.hexdigest()


def _variables(model: Any) -> list[Any]:
    """Return all variables of the network and of the optimizer.

    Keras' ``save_weights`` leaves out the random states of dropout.
    """
    return [*model.variables, *model.optimizer.variables]
