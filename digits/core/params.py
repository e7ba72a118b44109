"""The schema of params.yaml: what it may say, and of what kind each value is."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from digits.core.errors import InputError
from digits.core.yaml_files import Section, read_mapping, validated

FILE = Path("params.yaml")

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Units = Annotated[int, Field(gt=0, le=100_000)]
Step = Annotated[int, Field(gt=0)]


class Data(Section):
    source: str = Field(min_length=1, description="a folder of data/sources")
    rows: int | None = Field(gt=0, description="of train and validation together; None: all")
    validation_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(gt=0, lt=1, description="where the source has no test file")
    seed: Seed


class Explore(Section):
    pixel: int = Field(gt=0)


class Augmentation(Section):
    """The largest random changes of training images, new each time that an image is used; 0: none."""

    rotation: float = Field(0.0, ge=0, le=180, description="degrees, at most, to either side")
    shift: float = Field(0.0, ge=0, allow_inf_nan=False, description="pixels, at most, to any side")
    zoom: float = Field(0.0, ge=0, lt=1, description="share of height and of width, at most")
    shear: float = Field(0.0, ge=0, le=1, description="share of the height")
    elastic: float = Field(0.0, ge=0, allow_inf_nan=False, description="pixels, standard deviation")
    elastic_scale: float = Field(5.0, gt=0, allow_inf_nan=False, description="pixels between moved points")

    @property
    def off(self) -> bool:
        """True if training images are used unchanged."""
        return not (self.rotation or self.shift or self.zoom or self.shear or self.elastic)


class Recipe(Section):
    """The network of one model, and how it is trained."""

    hidden_units: list[Units] = Field(description="of each hidden layer; none: a linear classifier")
    dropout: float = Field(ge=0, lt=1, description="share of each hidden layer's outputs")
    l2: float = Field(ge=0, allow_inf_nan=False)
    optimizer: Literal["adagrad", "adam", "adamw", "sgd"]
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    clip_norm: float | None = Field(gt=0, allow_inf_nan=False, description="of each variable's gradient")
    batch_size: int = Field(gt=0, le=1_000_000)
    steps: int = Field(gt=0, le=100_000_000)
    periods: int = Field(gt=0, le=100_000)
    seed: Seed

    # Keys that params.yaml may leave out.
    snapshots: list[Step] | None = Field(None, description="None: after 10, 100 and all steps")
    loss_reduction: Literal["sum", "mean"] = Field("sum", description="of the losses of a batch's images")
    l1: float = Field(0.0, ge=0, allow_inf_nan=False)
    normalization: Literal["batch"] | None = None
    input_dropout: float = Field(0.0, ge=0, lt=1, description="share of the pixels")
    initial_accumulator: float = Field(0.1, ge=0, allow_inf_nan=False, description="of adagrad")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False, description="of adamw")
    schedule: Literal["constant", "cosine"] = "constant"
    averaging: float = Field(0.0, ge=0, lt=1, description="momentum of the running average of the weights")
    augmentation: Augmentation = Field(default_factory=Augmentation.model_construct)

    @model_validator(mode="after")
    def _steps_add_up(self) -> "Recipe":
        if self.steps % self.periods:
            found = f"{self.steps} steps in {self.periods} periods"
            raise ValueError(f"expected steps to be a multiple of periods, found {found}")
        snapshots = self.snapshots or []
        if late := [step for step in snapshots if step > self.steps]:
            raise ValueError(f"expected snapshots up to step {self.steps}, found {late[0]}")
        if snapshots != sorted(set(snapshots)):
            raise ValueError(f"expected snapshots in rising order, found {snapshots}")
        return self

    @property
    def snapshot_steps(self) -> list[int]:
        """The steps after which the first layer's weights are kept."""
        if self.snapshots is None:
            return sorted({step for step in (10, 100, self.steps) if step <= self.steps})
        return self.snapshots


class Plot(Section):
    mistakes: int = Field(gt=0, le=200)
    noise_below: float = Field(ge=-1, le=1, description="Moran's I of a unit's weights")
    alike_above: float = Field(ge=0, le=1, description="absolute cosine of two units' weights")


class Params(Section):
    data: Data
    explore: Explore
    train: dict[str, Recipe]
    plot: Plot

    def recipe(self, model: str) -> Recipe:
        """Return the recipe of one model; an InputError if params.yaml has no such model."""
        if model not in self.train:
            problem = f"found no model {model!r}, expected one of {', '.join(self.train)}"
            raise InputError(f"{FILE}, train", problem, "Name one of these, or add a section")
        return self.train[model]


def load_params(root: Path) -> Params:
    """Read params.yaml. Any wrong value is an InputError, even one that the stage doesn't use."""
    return validated(Params, read_mapping(root / FILE), path=FILE)
