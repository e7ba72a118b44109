"""The search space of a sweep, read from sweeps/<name>.yaml and checked against the model's parameters."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from digits.cli.flattening import flat
from digits.core.errors import InputError
from digits.core.params import Params, Recipe
from digits.core.yaml_files import Section, read_mapping, validated


class Dimension(Section):
    """The values of one parameter: choices, a range (uniform), or a log_range (uniform in the logarithm)."""

    choices: list[Any] | None = Field(None, min_length=1)
    range: list[int | float] | None = Field(None, min_length=2, max_length=2)
    log_range: list[int | float] | None = Field(None, min_length=2, max_length=2)

    @model_validator(mode="after")
    def _check(self) -> "Dimension":
        if [self.choices, self.range, self.log_range].count(None) != 2:
            given = ", ".join(sorted(self.model_fields_set)) or "nothing"
            raise ValueError(f"expected one of choices, range and log_range, found {given}")
        if not self.choices and not self.ends[0] < self.ends[1]:
            raise ValueError(f"expected the lower end first, found {self.ends}")
        if self.log_range and self.ends[0] <= 0:
            raise ValueError(f"expected ends above 0, for their logarithms, found {self.ends}")
        return self

    @property
    def ends(self) -> list[Any]:
        """All choices, or the two ends of the range."""
        return self.choices or self.range or self.log_range or []


class StopEarly(Section):
    """Stop bad trials early: asynchronous successive halving (Li et al. 2020), over a training's periods."""

    periods: int = Field(1, gt=0, le=100_000)  # those that each trial gets at least
    keep: int = Field(3, ge=2)  # of so many trials one goes on: the reduction factor


class Sweep(Section):
    """A search for better parameters of one model; sweeps/dnn.yaml explains each key."""

    model: str
    trials: int = Field(32, gt=0)
    search: Literal["tpe", "random"] = "tpe"
    seed: int = Field(0, ge=0, lt=2**31)  # of the search
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field([0], min_length=1)  # of a trial's trainings
    objective: Literal["log_loss", "accuracy"] = "log_loss"
    stop_early: StopEarly | None = None
    minutes: float | None = Field(None, gt=0)
    space: dict[str, Dimension] = Field(min_length=1)

    @property
    def mode(self) -> str:
        return "max" if self.objective == "accuracy" else "min"

    def recipes(self, base: Recipe, parameters: dict[str, Any], where: Path = Path("sweeps")) -> list[Recipe]:
        """The trainings of a trial: ``base`` with its parameters, once for each of the seeds."""
        settings: dict[str, Any] = {}
        for key, value in (flat(base.model_dump()) | parameters).items():
            section, _, name = key.rpartition(".")
            (settings.setdefault(section, {}) if section else settings)[name] = value
        # A trial of fewer steps keeps the snapshots up to its last.
        if "steps" in parameters and base.snapshots and "snapshots" not in parameters:
            settings["snapshots"] = [step for step in base.snapshots if step <= settings["steps"]]
        return [validated(Recipe, settings | {"seed": seed}, path=where, key="space") for seed in self.seeds]


def load_sweep(name: str, params: Params, root: Path) -> Sweep:
    """Load sweeps/<name>.yaml; an InputError if a choice, or an end of a range, is no valid value."""
    path = Path("sweeps", f"{name}.yaml")
    if not (root / path).is_file():
        known = ", ".join(sorted(file.stem for file in (root / "sweeps").glob("*.yaml")))
        raise InputError(path, "no such file", f"Name one of {known}, or write that file")
    sweep = validated(Sweep, read_mapping(root / path), path=path)
    base = params.recipe(sweep.model)
    for key, dimension in sweep.space.items():
        if key == "seed":
            problem = "found seed, but a lucky seed is no better network"
            raise InputError(f"{path}, space", problem, "Remove it; seeds sets how many each trial has")
        for value in dimension.ends:
            sweep.recipes(base, {key: value}, path)
    return sweep
