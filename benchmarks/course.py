"""Compare both versions of the course's exercise with its own results: python -m benchmarks.course

Prints mean and standard deviation over several seeds, each of which shuffles the data and the batches and
draws the first weights. Needs real MNIST, in both formats, in ../shared/mnist or in the folder that
DIGITS_MNIST names.
"""

from itertools import groupby, zip_longest
from statistics import mean, stdev

from benchmarks.accuracy import SOURCES, Result, make_splits, train_and_test
from benchmarks.measuring import clone, run, set_param, set_source
from digits.core.params import load_params

#: The seeds of each recipe; fewer for today's exercise, since one training takes a minute or more.
SEEDS = {"course": range(5), "course-keras": range(3)}
BASELINE: dict[str, object] = {"learning_rate": 0.02, "steps": 100, "batch_size": 10}
ONE_LAYER: dict[str, object] = {"hidden_units": [256], "dropout": 0.4}
TWO_LAYERS: dict[str, object] = {"hidden_units": [256, 128], "dropout": 0.2}
#: Name, recipe, model, changes of the recipe, and the course's results in the order of Result. Those of its
#: first version were measured with TensorFlow 2.15's Estimators and seed 0; it states those of today's.
CASES: tuple[tuple[str, str, str, dict[str, object], tuple[float | None, ...]], ...] = (
    ("linear baseline: rate 0.02, 100 steps of 10", "course", "linear", BASELINE, (0.84, None, None, None)),
    ("linear tuned: rate 0.03, 1,000 steps of 30", "course", "linear", {}, (0.912, 0.911, 0.322, 3.16)),
    ("dnn: [100, 100], rate 0.05, 1,000 steps of 30", "course", "dnn", {}, (0.953, 0.952, 0.194, None)),
    ("today's: [32], dropout 0.2, 50 epochs", "course-keras", "dnn", {}, ()),
    ("today's: [256], dropout 0.4", "course-keras", "dnn", ONE_LAYER, (None, 0.98)),
    ("today's: [256, 128], dropout 0.2", "course-keras", "dnn", TWO_LAYERS, (None, 0.982)),
)


def main() -> None:
    with clone() as project:
        for recipe_name, cases in groupby(CASES, key=lambda case: case[1]):
            run(("python", "-m", "digits", "recipe", recipe_name), project)
            set_source(project, SOURCES.get(recipe_name, "mnist"))
            recipes, splits = load_params(project).train, []
            for seed in SEEDS[recipe_name]:
                set_param(project, "data.seed", seed)
                splits.append(make_splits(project))
            for name, _, model, changes, course in cases:
                recipe = recipes[model].model_copy(update=changes)
                results = [train_and_test(recipe, seed, splits[seed]) for seed in SEEDS[recipe_name]]
                show(name, results, course)


def show(name: str, results: list[Result], course: tuple[float | None, ...]) -> None:
    print(f"\n{name} ({len(results)} seeds)")
    for field, ours, theirs in zip_longest(Result._fields, zip(*results, strict=True), course):
        ratio = "" if theirs is None else f"   course {theirs}, ratio {mean(ours) / theirs:.3f}"
        print(f"  {field:36} {mean(ours):.4f} ± {stdev(ours):.4f}{ratio}", flush=True)


if __name__ == "__main__":
    main()
