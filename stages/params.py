"""The parameters of all stages, typed: what params.yaml may say."""

from pathlib import Path

from pydantic import Field

from digits.errors import InputError
from digits.recipe import Recipe
from digits.typed_yaml import Section, read_mapping, validated


class Data(Section):
    source: str = Field(min_length=1)
    rows: int | None = Field(gt=0)
    validation_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0, lt=2**31)


class Explore(Section):
    pixel: int = Field(gt=0)
    per_class: int = Field(gt=0, le=50)
    seed: int = Field(ge=0, lt=2**31)


class Plot(Section):
    mistakes: int = Field(gt=0, le=200)
    noise_below: float = Field(ge=-1, le=1)
    alike_above: float = Field(ge=0, le=1)


class Params(Section):
    data: Data
    explore: Explore
    train: dict[str, Recipe]
    plot: Plot

    def recipe(self, model: str) -> Recipe:
        """The training of one model.

        Raises:
            InputError: params.yaml has none of that name.
        """
        if model not in self.train:
            raise InputError(
                "params.yaml, train",
                found=f"no model {model!r}",
                expected=f"one of {', '.join(self.train)}",
                do="name one of these, or add a section",
            )
        return self.train[model]


def load_params(root: Path) -> Params:
    """All of params.yaml: a stage that uses one key still refuses to start beside a wrong one.

    Raises:
        InputError: with a line for each key that is unknown, missing, of a wrong type or out of range.
    """
    path = root / "params.yaml"
    return validated(Params, read_mapping(path), path=Path("params.yaml"))
