"""What is said of each hidden unit after each snapshot, as a table: units.csv."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from digits.core.examples import Examples
from digits.core.files import write_csv
from digits.core.params import Plot
from digits.core.snapshots import Snapshot
from digits.plot.weights import Units, measure


class Judged(NamedTuple):
    """The first layer's units at one step, and a word for each (see :meth:`Units.verdicts`)."""

    units: Units
    verdicts: list[str]


def judge(snapshot: Snapshot, examples: Examples, params: Plot) -> Judged:
    """Measure each unit of a snapshot on images, and say where something is wrong with it."""
    units = measure(snapshot.weights, snapshot.biases, examples.images, examples.pixel_maximum)
    verdicts = units.verdicts(noise_below=params.noise_below, alike_above=params.alike_above)
    return Judged(units, verdicts)


COLUMNS = ("step", "unit", "verdict", "smoothness", "active", "similarity", "most_similar_unit")


def save_units(judged: Mapping[int, Judged], path: Path) -> None:
    """Write a row for each unit at each step; a network without a hidden layer has none."""
    rows = [
        (step, unit, verdicts[unit], *(f"{float(value):.4f}" for value in measures), twin)
        for step, (units, verdicts) in judged.items()
        for unit, (*measures, twin) in enumerate(
            zip(units.smoothness, units.active, units.similarity, units.twin, strict=True)
        )
    ]
    write_csv(path, COLUMNS, rows)
