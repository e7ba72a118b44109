"""Describe mistakes in words."""

from digits.core.predictions import Predictions


def captions(predictions: Predictions, rows: list[int]) -> list[str]:
    """For each of the rows, the true class, the answer, and how sure the network was of it."""
    names = predictions.class_names
    return [
        f"{names[predictions.actual[row]]}, taken for {names[predictions.predicted[row]]}\n"
        f"with {predictions.confidence[row]:.0%}"
        for row in rows
    ]
