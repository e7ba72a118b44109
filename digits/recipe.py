"""How one classifier is built and trained, as a checked value."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from digits.typed_yaml import Section

Units = Annotated[int, Field(gt=0, le=100_000)]
Step = Annotated[int, Field(gt=0)]


class Recipe(Section):
    """The settings of one training; params.yaml says what each means."""

    hidden_units: list[Units]
    dropout: float = Field(ge=0, lt=1)
    l1: float = Field(ge=0, allow_inf_nan=False)
    l2: float = Field(ge=0, allow_inf_nan=False)
    optimizer: Literal["adagrad", "adam", "sgd"]
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    initial_accumulator: float = Field(ge=0, allow_inf_nan=False)
    momentum: float = Field(ge=0, lt=1)
    clip_norm: float | None = Field(gt=0, allow_inf_nan=False)
    batch_size: int = Field(gt=0, le=1_000_000)
    steps: int = Field(gt=0, le=100_000_000)
    periods: int = Field(gt=0, le=100_000)
    snapshots: list[Step]
    seed: int = Field(ge=0, lt=2**31)

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
