"""How far a training has come, kept in a file: a killed one goes on from there, to the same bytes."""

import hashlib
import time
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from digits.core.examples import Examples
from digits.core.files import replacing
from digits.core.params import Recipe
from digits.train.backend import keras, tf

#: Seconds of work that a kill may cost. A shorter training writes no checkpoint.
INTERVAL = 15.0


class Checkpoint:
    """The last state of one training that was kept, and a place for the next.

    A state is of use only to the training that left it: the same recipe, examples, code and libraries.
    Any other is passed over, and replaced when this training keeps its first.

    Attributes:
        step: the last step that the kept state has behind it; 0: there is none.
        state: the arrays that were kept, by name.
    """

    def __init__(self, path: Path, recipe: Recipe, train: Examples, validation: Examples) -> None:
        self.path = path
        self.made_of = recipe, train, validation
        self.step = 0
        self.state: dict[str, NDArray[Any]] = {}
        self.kept_at = time.monotonic()
        if path.exists():
            self._load()

    @property
    def due(self) -> bool:
        """Whether so much was done since the last state was kept that the next one should be."""
        return time.monotonic() - self.kept_at >= INTERVAL

    def keep(self, step: int, state: dict[str, NDArray[Any]]) -> None:
        """Replace what is kept by the state after ``step``."""
        with replacing(self.path) as partial, partial.open("wb") as file:
            np.savez(file, key=np.array(self.key), step=np.int64(step), **state)  # type: ignore[arg-type]
        self.kept_at = time.monotonic()

    def remove(self) -> None:
        """To be called when what the training leaves is in its place."""
        self.path.unlink(missing_ok=True)

    @cached_property
    def key(self) -> str:
        """A digest of all that decides what the training ends with."""
        recipe, *splits = self.made_of
        digest = hashlib.sha256(recipe.model_dump_json().encode())
        for examples in splits:
            digest.update(examples.digest())
        rooms = Path(__file__).parent, Path(__file__).parents[1] / "core"
        for source in sorted(path for room in rooms for path in room.glob("*.py")):
            digest.update(source.read_bytes())
        for library in (keras, np, tf):
            digest.update(library.__version__.encode())
        return digest.hexdigest()

    def _load(self) -> None:
        try:
            # Opened here: NumPy would leave a file that is no archive open.
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if str(archive["key"]) != self.key:
                    return
                state = {name: archive[name] for name in archive.files}
            self.step = int(state.pop("step"))
            self.state = state
        except (BadZipFile, EOFError, KeyError, ValueError, zlib.error):
            return  # damaged: then from the beginning
