"""Flatten mappings to dotted keys, as DVC names parameters; read what dvc.lock records."""

from collections.abc import Mapping
from typing import Any


def flat(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return ``{"a": {"b": 1}}`` as ``{"a.b": 1}``; lists are values."""
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the keys whose values differ, with both values; None stands for one that isn't there."""
    keys = {**before, **after}
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def recorded_params(lock: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that the stages in ``dvc.lock`` ran with, by dotted key."""
    stages = [stage.get("params", {}).get("params.yaml", {}) for stage in lock.get("stages", {}).values()]
    return {key: value for params in stages for key, value in flat(params).items()}


def recorded_hashes(lock: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Return the MD5 of each file or folder that ``dvc.lock`` has under ``deps`` or ``outs``, by path."""
    entries = [entry for stage in lock.get("stages", {}).values() for entry in stage.get(kind, ())]
    return {entry["path"]: entry.get("md5", "") for entry in entries}
