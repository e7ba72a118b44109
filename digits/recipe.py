"""How one classifier is built and trained, as a checked value."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from digits.typed_yaml import Section

Units = Annotated[int, Field(gt=0, le=100_000)]
Step = Annotated[int, Field(gt=0)]


class Augmentation(Section):
    """How images are distorted, each time they are learnt from; params.yaml says what each means."""

    rotation: float = Field(ge=0, le=180)
    shift: float = Field(ge=0, allow_inf_nan=False)
    zoom: float = Field(ge=0, lt=1)
    shear: float = Field(ge=0, le=1)
    elastic: float = Field(ge=0, allow_inf_nan=False)
    elastic_scale: float = Field(gt=0, allow_inf_nan=False)

    @property
    def off(self) -> bool:
        """Whether images are learnt from as they are."""
        return not (self.rotation or self.shift or self.zoom or self.shear or self.elastic)


class Recipe(Section):
    """The settings of one training; params.yaml says what each means."""

    hidden_units: list[Units]
    normalization: Literal["batch"] | None
    input_dropout: float = Field(ge=0, lt=1)
    dropout: float = Field(ge=0, lt=1)
    l1: float = Field(ge=0, allow_inf_nan=False)
    l2: float = Field(ge=0, allow_inf_nan=False)
    optimizer: Literal["adagrad", "adam", "adamw", "sgd"]
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    schedule: Literal["constant", "cosine"]
    initial_accumulator: float = Field(ge=0, allow_inf_nan=False)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0, allow_inf_nan=False)
    averaging: float = Field(ge=0, lt=1)
    clip_norm: float | None = Field(gt=0, allow_inf_nan=False)
    batch_size: int = Field(gt=0, le=1_000_000)
    steps: int = Field(gt=0, le=100_000_000)
    periods: int = Field(gt=0, le=100_000)
    snapshots: list[Step]
    seed: int = Field(ge=0, lt=2**31)
    augmentation: Augmentation

    @model_validator(mode="after")
    def _steps_add_up(self) -> "Recipe":
        if self.steps % self.periods:
            raise ValueError(
                f"{self.periods} periods of {self.steps} steps, expected steps to be a multiple of periods"
            )
        if late := [step for step in self.snapshots if step > self.steps]:
            raise ValueError(
                f"a snapshot at step {late[0]} of {self.steps}, expected snapshots up to the last step"
            )
        if self.snapshots != sorted(set(self.snapshots)):
            raise ValueError(f"snapshots {self.snapshots}, expected rising steps")
        return self
