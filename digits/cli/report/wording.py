"""How figures and settings are written for people."""

from typing import Any


def figure(value: float) -> str:
    """Four places; of large ones, four digits."""
    return f"{value:.4f}" if value < 100 else f"{value:.4g}"


def words(value: Any) -> str:
    """A setting as params.yaml has it."""
    if value is None:
        return "–"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)
