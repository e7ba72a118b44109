"""The course's recipes on real MNIST over five seeds, beside its own figures: python -m benchmarks.course

Prints mean and standard deviation over the seeds, each of which shuffles the data and the batches and draws
the first weights. Needs mnist_train_small.csv and mnist_test.csv in ../shared/mnist or in the folder that
DIGITS_MNIST names.
"""

from statistics import mean, stdev

from benchmarks.accuracy import Result, make_splits, train_and_test
from benchmarks.measuring import clone, run, set_param, set_source
from digits.core.params import load_params

SEEDS = range(5)
BASELINE: dict[str, object] = {"learning_rate": 0.02, "steps": 100, "batch_size": 10}
#: Name, model, changes of recipe course, and the course's figures in the order of Result, which are those of
#: the same recipes with TensorFlow 2.15's Estimators and seed 0.
CASES: tuple[tuple[str, str, dict[str, object], tuple[float | None, ...]], ...] = (
    ("linear baseline: rate 0.02, 100 steps of 10", "linear", BASELINE, (0.84, None, None, None)),
    ("linear tuned: rate 0.03, 1,000 steps of 30", "linear", {}, (0.912, 0.911, 0.322, 3.16)),
    ("dnn: [100, 100], rate 0.05, 1,000 steps of 30", "dnn", {}, (0.953, 0.952, 0.194, None)),
)


def main() -> None:
    with clone() as project:
        run(("python", "-m", "digits", "recipe", "course"), project)
        set_source(project, "mnist")
        recipes, splits = load_params(project).train, []
        for seed in SEEDS:
            set_param(project, "data.seed", seed)
            splits.append(make_splits(project))
    for name, model, changes, course in CASES:
        recipe = recipes[model].model_copy(update=changes)
        results = [train_and_test(recipe, seed, splits[seed]) for seed in SEEDS]
        print(f"\n{name} ({len(results)} seeds)")
        for field, ours, figure in zip(Result._fields, zip(*results, strict=True), course, strict=False):
            beside = "" if figure is None else f"   course {figure}, ÷ it = {mean(ours) / figure:.3f}"
            print(f"  {field:36} {mean(ours):.4f} ± {stdev(ours):.4f}{beside}")


if __name__ == "__main__":
    main()
