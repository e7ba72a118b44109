"""The course's recipes on real MNIST, with several seeds: python -m benchmarks.course

Prints mean and standard deviation over the seeds beside the figures of the course's own code.
The seed shuffles the data and the batches and draws the first weights. Reads mnist_train_small.csv
and mnist_test.csv in ../shared/mnist, or in the folder that DIGITS_MNIST names.
"""

from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from benchmarks.mnist import MNIST
from digits.core.examples import Examples
from digits.core.params import load_params
from digits.core.sources import load_source
from digits.split.parsing import read_source
from digits.split.splitting import split
from digits.train.training import scorer, train

ROOT = Path(__file__).parents[1]
SEEDS = range(5)


class Figures(NamedTuple):
    """Of one training; accuracies are shares of examples, log losses are in nats."""

    validation_accuracy: float
    test_accuracy: float
    test_log_loss: float
    test_log_loss_of_predicted_classes: float


class Case(NamedTuple):
    name: str
    model: str
    changes: dict[str, object]
    course: tuple[float | None, float | None, float | None, float | None]


# The course's figures: the same recipes run with TensorFlow 2.15's Estimators, seed 0.
CASES = (
    Case(
        "linear baseline: rate 0.02, 100 steps of 10",
        "linear",
        {"learning_rate": 0.02, "steps": 100, "batch_size": 10, "snapshots": []},
        (0.84, None, None, None),
    ),
    Case("linear tuned: rate 0.03, 1,000 steps of 30", "linear", {}, (0.912, 0.911, 0.322, 3.16)),
    Case("dnn: [100, 100], rate 0.05, 1,000 steps of 30", "dnn", {}, (0.953, 0.952, 0.194, None)),
)


def main() -> None:
    source = load_source(ROOT, "mnist")
    examples, test = read_source(MNIST, source)
    if test is None:
        raise SystemExit(f"{MNIST} has no test rows")
    for case in CASES:
        runs = [run(case, seed, examples, test) for seed in SEEDS]
        print(f"\n{case.name} ({len(runs)} seeds)")
        for name, ours, course in zip(Figures._fields, columns(runs), case.course, strict=True):
            beside = f"   course {course}" if course is not None else ""
            print(f"  {name:36} {mean(ours):.4f} ± {stdev(ours):.4f}{beside}")


def run(case: Case, seed: int, examples: Examples, test: Examples) -> Figures:
    params = load_params(ROOT)
    splits = split(
        examples,
        test,
        rows=10_000,
        validation_fraction=0.25,
        test_fraction=params.data.test_fraction,
        seed=seed,
    )
    recipe = params.recipe(case.model).model_copy(update={**case.changes, "seed": seed})
    trained = train(recipe, splits.train, splits.validation)
    tested = scorer(trained.model)(splits.test)
    return Figures(
        trained.history.periods[-1].validation.accuracy,
        tested.accuracy,
        tested.log_loss,
        tested.log_loss_of_predicted_classes,
    )


def columns(runs: Iterable[Figures]) -> list[tuple[float, ...]]:
    return list(zip(*runs, strict=True))


if __name__ == "__main__":
    main()
