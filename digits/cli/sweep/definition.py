"""The search space of a sweep, read from sweeps/<name>.yaml and checked against the model's parameters."""

import copy
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from digits.cli.flattening import flat
from digits.core.errors import InputError
from digits.core.params import Params, Recipe
from digits.core.yaml_files import Section, read_mapping, validated

FOLDER = Path("sweeps")


class Dimension(Section):
    """The values that one parameter can take: choices, or a range, evenly or by the logarithm."""

    choices: list[Any] | None = Field(None, min_length=1)
    range: list[int | float] | None = Field(None, min_length=2, max_length=2)
    log_range: list[int | float] | None = Field(None, min_length=2, max_length=2)
    step: int | float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> "Dimension":
        if [self.choices, self.range, self.log_range].count(None) != 2:
            given = ", ".join(sorted(self.model_fields_set)) or "nothing"
            raise ValueError(f"{given}, expected one of choices, range and log_range")
        low, high = self.ends[0], self.ends[-1]
        if self.choices is None and not low < high:
            raise ValueError(f"{self.ends}, expected the lower end first")
        if self.log_range and low <= 0:
            raise ValueError(f"{self.ends}, expected ends above 0, for their logarithms")
        if self.step is not None and (not self.range or self.step > high - low):
            raise ValueError(f"step {self.step}, expected it beside a range, and shorter than the range")
        return self

    @property
    def ends(self) -> list[Any]:
        return self.choices or self.range or self.log_range or []


class StopEarly(Section):
    """Asynchronous successive halving (Li et al. 2020), over a training's periods."""

    periods: int = Field(1, gt=0)
    keep: int = Field(3, ge=2)


class Sweep(Section):
    """A search for better parameters of one model; sweeps/dnn.yaml explains each key."""

    model: str
    trials: int = Field(32, gt=0)
    search: Literal["tpe", "random"] = "tpe"
    seed: int = Field(0, ge=0, lt=2**31)
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field([0], min_length=1)
    objective: Literal["log_loss", "accuracy"] = "log_loss"
    stop_early: StopEarly | None = None
    minutes: float | None = Field(None, gt=0)
    space: dict[str, Dimension] = Field(min_length=1)

    @property
    def higher_is_better(self) -> bool:
        return self.objective == "accuracy"

    def is_integer(self, key: str) -> bool:
        """Whether a parameter of the space is an integer in params.yaml."""
        section: Any = Recipe
        for part in key.split("."):
            section = section.model_fields[part].annotation
        return section is int

    def recipes(self, base: Recipe, parameters: dict[str, Any], where: Path = FOLDER) -> list[Recipe]:
        """The trainings of a trial: ``base`` with the trial's parameters, once for each of the seeds.

        A trial of fewer steps keeps the snapshots up to its last step. Wrong parameters raise an InputError.
        """
        settings: dict[str, Any] = {}
        for key, value in copy.deepcopy(flat(base.model_dump()) | parameters).items():
            section, _, name = key.rpartition(".")
            (settings.setdefault(section, {}) if section else settings)[name] = value
        if "steps" in parameters and base.snapshots and "snapshots" not in parameters:
            settings["snapshots"] = [step for step in base.snapshots if step <= settings["steps"]]
        return [validated(Recipe, settings | {"seed": seed}, path=where, key="space") for seed in self.seeds]


def load_sweep(name: str, params: Params, root: Path) -> Sweep:
    """The sweep of that name. Each choice and each end of a range is checked as a parameter of the model.

    Raises:
        InputError: there is no such sweep, or something in it is unknown, missing or out of range.
    """
    path = FOLDER / f"{name}.yaml"
    sweep = validated(Sweep, read_mapping(root / path), path=path)
    base = params.recipe(sweep.model)
    for key, dimension in sweep.space.items():
        if key not in flat(base.model_dump(exclude={"seed"})):  # a lucky seed is no better network
            expected = f"one of train.{sweep.model} in params.yaml, without seed"
            raise InputError(f"{path}, space.{key}", found="an unknown key", expected=expected, do="fix it")
        for value in dimension.ends:
            sweep.recipes(base, {key: value}, path)
        if sweep.is_integer(key) and not isinstance(dimension.step or 1, int):
            found, where = str(dimension.step), f"{path}, space.{key}.step"
            raise InputError(where, found=found, expected="a whole number", do="fix the value")
    return sweep
