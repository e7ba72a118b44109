"""The figures of one model on both splits, as they are kept: the main ones in git, all of them beside it."""

import json
from dataclasses import dataclass
from pathlib import Path

from digits.core.errors import InputError
from digits.core.files import write_json
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
    """A model's figures on one split.

    Attributes:
        metrics: all of :data:`digits.evaluate.metrics.METRICS`, by name.
        accuracy_interval: the 95 % interval of the accuracy (Wilson's).
        examples: how many images.
        classes: the figures of each class.
    """

    metrics: dict[str, float]
    accuracy_interval: Interval
    examples: int
    classes: list[ClassScore]

    @classmethod
    def of(cls, answers: Answers, class_names: tuple[str, ...]) -> "Scores":
        right, examples = int((answers.predicted == answers.labels).sum()), len(answers.labels)
        classes = per_class(answers, class_names)
        return cls(evaluate(answers), wilson_interval(right, examples), examples, classes)


def save_metrics(scores: dict[str, Scores], path: Path) -> None:
    """Write the main metrics of each split, which git keeps: ``{split: {metric: value}}``."""
    write_json(
        path,
        {
            split: {name: value for name, value in found.metrics.items() if METRICS[name].in_git}
            for split, found in scores.items()
        },
    )


def save_scores(scores: dict[str, Scores], path: Path) -> None:
    """Write all that is known of each split as a JSON file that :func:`load_scores` reads."""
    write_json(
        path,
        {
            split: {
                "metrics": found.metrics,
                "accuracy_interval": found.accuracy_interval,
                "examples": found.examples,
                "classes": [score._asdict() for score in found.classes],
            }
            for split, found in scores.items()
        },
    )


def load_scores(path: Path) -> dict[str, Scores]:
    """Read what :func:`save_scores` wrote, by split.

    Raises:
        InputError: the file is damaged.
        OSError: it can't be read.
    """
    content = path.read_bytes()
    try:
        scores = parse_scores(content)
        for split, found in scores.items():
            if missing := METRICS.keys() - found.metrics.keys():
                raise ValueError(f"no {', '.join(sorted(missing))} of {split}")
        return scores
    except ValueError as error:
        raise InputError(
            path, found=f"a damaged file ({error})", expected="a model's scores", do="dvc repro evaluate"
        ) from None


def parse_scores(content: bytes) -> dict[str, Scores]:
    """The content of a file that :func:`save_scores` wrote, by split; an older one may have other metrics.

    Raises:
        ValueError: it is damaged.
    """
    try:
        document = json.loads(content)
        return {
            split: Scores(
                {name: float(value) for name, value in document[split]["metrics"].items()},
                Interval(*map(float, document[split]["accuracy_interval"])),
                int(document[split]["examples"]),
                [ClassScore(**score) for score in document[split]["classes"]],
            )
            for split in SPLITS
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from None
