"""What a sweep searches, read from sweeps/<name>.yaml and held against the parameters of the model."""

import copy
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from digits.core.errors import InputError
from digits.core.params import Params, Recipe
from digits.core.yaml_files import Section, read_mapping, validated

FOLDER = Path("sweeps")
Number = int | float


class Dimension(Section):
    """What one parameter may be: some values, or all between two, evenly or by their logarithms."""

    choices: list[Any] | None = Field(None, min_length=1)
    range: list[Number] | None = Field(None, min_length=2, max_length=2)
    log_range: list[Number] | None = Field(None, min_length=2, max_length=2)
    step: Number | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Dimension":
        if [self.choices, self.range, self.log_range].count(None) != 2:
            given = ", ".join(sorted(self.model_fields_set)) or "nothing"
            raise ValueError(f"{given}, expected one of choices, range and log_range")
        if self.step is not None and self.range is None:
            raise ValueError(f"step {self.step}, expected it beside a range alone")
        if self.choices is None:
            low, high = self.ends
            if not (math.isfinite(low) and math.isfinite(high)):
                raise ValueError(f"{[low, high]}, expected finite ends")
            if not low < high:
                raise ValueError(f"{[low, high]}, expected the lower end first")
            if self.log_range and low <= 0:
                raise ValueError(f"{[low, high]}, expected ends above 0: they have logarithms")
            if self.step is not None and not 1e-9 <= self.step / (high - low) <= 1:
                raise ValueError(f"step {self.step} in {[low, high]}, expected one that fits into the range")
        elif any(value in self.choices[:at] for at, value in enumerate(self.choices)):
            raise ValueError(f"{self.choices}, expected each choice once")
        return self

    @property
    def ends(self) -> list[Any]:
        """The choices, or both ends: if these are right, so is what lies between."""
        return self.choices or self.range or self.log_range or []


class StopEarly(Section):
    """Asynchronous successive halving (Li et al. 2020), over a training's periods.

    After ``periods``, then ``keep`` times as many, and so on, a trial goes on if it is among the best one
    in ``keep`` of those that came so far. The first to come has nothing to be held against and goes on.
    """

    periods: int = Field(1, gt=0)
    keep: int = Field(3, ge=2)


class Sweep(Section):
    """A search for better parameters of one model; sweeps/dnn.yaml says what each key means."""

    model: str
    trials: int = Field(32, gt=0, le=1_000_000)
    search: Literal["tpe", "random"] = "tpe"
    seed: int = Field(0, ge=0, lt=2**31)
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field([0], min_length=1)
    objective: Literal["log_loss", "accuracy"] = "log_loss"
    stop_early: StopEarly | None = None
    minutes: float | None = Field(None, gt=0)
    space: dict[str, Dimension] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be(self) -> "Sweep":
        if "seed" in self.space:
            raise ValueError("seed in the space, expected it in seeds: a lucky one is no better network")
        for key in self.space:
            if inner := [other for other in self.space if other.startswith(f"{key}.")]:
                raise ValueError(f"{key} and {inner[0]} in the space, expected the one or the other")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {self.seeds}, expected each once")
        return self

    @property
    def higher_is_better(self) -> bool:
        return self.objective == "accuracy"

    def may_be(self, key: str, value: object) -> bool:
        """Whether a parameter of the space can have that value."""
        dimension = self.space[key]
        if dimension.choices is not None:
            return value in dimension.choices
        low, high = dimension.ends
        kind = int if self.of_whole_numbers(key) else int | float
        if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
            return False
        steps: float = (value - low) / dimension.step if dimension.step else 0.0
        return abs(steps - round(steps)) < 1e-8

    def of_whole_numbers(self, key: str) -> bool:
        """Whether a parameter takes whole numbers alone."""
        section: Any = Recipe
        for part in key.split("."):
            section = section.model_fields[part].annotation
        return section is int

    def recipes(self, base: Recipe, parameters: dict[str, Any], path: Path) -> list[Recipe]:
        """The trainings of a trial: ``base`` with the trial's parameters, once for each of the seeds.

        Of fewer steps, it keeps the snapshots up to the last.

        Raises:
            InputError: the parameters are wrong, or don't go together.
        """
        settings = base.model_dump()
        for key, value in parameters.items():
            section, name = _place(settings, key)
            if not isinstance(section, dict):
                raise InputError(
                    f"{path}, space.{key}",
                    found="an unknown key",
                    expected=f"one of train.{self.model} in params.yaml",
                    do="mend it",
                )
            section[name] = copy.deepcopy(value)
        if isinstance(steps := parameters.get("steps"), int) and "snapshots" not in parameters:
            settings["snapshots"] = [step for step in base.snapshots if step <= steps]
        return [validated(Recipe, settings | {"seed": seed}, path=path, key="space") for seed in self.seeds]

    def fixed(self, base: Recipe) -> dict[str, Any]:
        """The parameters of ``base`` that every trial leaves as they are."""
        settings = base.model_dump(exclude={"seed"})
        for key in self.space:
            section, name = _place(settings, key)
            section.pop(name)
        return settings


def _place(settings: dict[str, Any], key: str) -> tuple[Any, str]:
    """The section that a dotted key lies in, None if there is no such one, and its name there."""
    *sections, name = key.split(".")
    section: Any = settings
    for part in sections:
        section = section.get(part) if isinstance(section, dict) else None
    return section, name


def load_sweep(name: str, params: Params, root: Path) -> Sweep:
    """The sweep of that name, each value that it may try checked against the parameters' types.

    Raises:
        InputError: there is no such sweep, or something in it is unknown, missing or out of range.
    """
    path = FOLDER / f"{name}.yaml"
    known = sweeps(root)
    if name not in known:
        raise InputError(
            path,
            found="no such sweep",
            expected=f"one of {', '.join(known) or 'none: the folder is empty'}",
            do="name one of these, or write it",
        )
    sweep = validated(Sweep, read_mapping(root / path), path=path)
    base = params.recipe(sweep.model)
    for key, dimension in sweep.space.items():
        for value in dimension.ends:
            sweep.recipes(base, {key: value}, path)
        if sweep.of_whole_numbers(key) and not isinstance(dimension.step or 1, int):
            raise InputError(
                f"{path}, space.{key}.step",
                found=str(dimension.step),
                expected="a whole number",
                do="mend the value",
            )
    return sweep


def in_words(value: object, digits: int) -> str:
    """A parameter's value as YAML has it, numbers with fractions to so many digits."""
    return f"{value:.{digits}g}" if isinstance(value, float) else json.dumps(value).strip('"')


def sweeps(root: Path) -> list[str]:
    """The names of all sweeps that are written down."""
    return sorted(path.stem for path in (root / FOLDER).glob("*.yaml") if path.is_file())
