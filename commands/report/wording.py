"""How figures and settings are written for people."""

from typing import Any

#: What the metrics files' keys are called.
METRICS = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "log_loss_of_predicted_classes": "log loss of predicted classes",
    "macro_f1": "macro F1",
    "brier_score": "Brier score",
    "expected_calibration_error": "expected calibration error",
}


def figure(value: float) -> str:
    """Four places; of large ones, four digits."""
    return f"{value:.4f}" if value < 100 else f"{value:.4g}"


def share(value: float) -> str:
    """A share in a cell as small as can be."""
    return f"{value:.2f}".removeprefix("0") if value >= 0.005 else "<.01"


def words(value: Any) -> str:
    """A setting as params.yaml has it."""
    if value is None:
        return "–"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)
