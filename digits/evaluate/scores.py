"""The scores of one model on both splits: the main metrics are saved in git, all metrics outside git."""

from pathlib import Path

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from digits.core.files import reading, write_json
from digits.evaluate.metrics import (
    METRICS,
    Answers,
    ClassScore,
    Interval,
    evaluate,
    per_class,
    wilson_interval,
)

#: The splits that a model is scored on.
SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Scores:
    """A model's scores on a split of ``examples`` images, with Wilson's 95 % interval of the accuracy."""

    metrics: dict[str, float]
    accuracy_interval: Interval
    examples: int
    classes: list[ClassScore]

    @classmethod
    def of(cls, answers: Answers, class_names: tuple[str, ...]) -> "Scores":
        right, examples = int(answers.right.sum()), len(answers.labels)
        interval = wilson_interval(right, examples)
        return cls(evaluate(answers), interval, examples, per_class(answers, class_names))


def save_metrics(scores: dict[str, Scores], path: Path) -> None:
    """Write the main metrics of each split, which git keeps: ``{split: {metric: value}}``."""
    main = [name for name, metric in METRICS.items() if metric.in_git]
    write_json(path, {split: {name: each.metrics[name] for name in main} for split, each in scores.items()})


def save_scores(scores: dict[str, Scores], path: Path) -> None:
    """Write all scores of each split as a JSON file that :func:`load_scores` reads."""
    write_json(path, _BY_SPLIT.dump_python(scores))


def load_scores(path: Path) -> dict[str, Scores]:
    """Read what :func:`save_scores` wrote, by split; it must have all :data:`METRICS` and no other."""
    with reading(path, "evaluate"):
        scores = parse_scores(path.read_bytes())
        if any(found.metrics.keys() != METRICS.keys() for found in scores.values()):
            raise ValueError(f"expected metrics {', '.join(METRICS)}")
        return scores


def parse_scores(content: bytes) -> dict[str, Scores]:
    """Parse a file that :func:`save_scores` wrote, by split.

    Unlike :func:`load_scores`, this accepts other metrics, so that older files can be read.
    """
    scores = _BY_SPLIT.validate_json(content)
    if set(scores) != set(SPLITS):
        raise ValueError(f"expected splits {', '.join(SPLITS)}, found {', '.join(scores)}")
    return scores


_BY_SPLIT = TypeAdapter(dict[str, Scores])
