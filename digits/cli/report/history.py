"""The experiments that git holds: every commit whose message begins ``experiment: ``."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from digits.cli.flattening import flat
from digits.core.errors import InputError
from digits.core.yaml_files import parse_mapping

PREFIX = "experiment: "


@dataclass(frozen=True)
class Experiment:
    """One commit's settings and results, as far as they can be read.

    Attributes:
        commit: its full name.
        title: the first line of its message, without the prefix.
        params: of params.yaml, by dotted key.
        metrics: by model, split and name.
    """

    commit: str
    title: str
    params: dict[str, Any]
    metrics: dict[tuple[str, str, str], float]


def experiments(root: Path) -> list[Experiment]:
    """The experiments that led to HEAD, the newest first; none where there is no git or no commit.

    Commits without metrics, or with metrics in another layout, are among them.
    """
    words = ("log", "-z", "--basic-regexp", "--grep", f"^{PREFIX}", "--encoding=UTF-8", "--format=%H %s")
    log = git(root, *words).decode(errors="replace")
    subjects = [line.partition(" ")[::2] for line in log.split("\0") if line]
    # git's --grep looks at every line of a message.
    commits = [(name, title.removeprefix(PREFIX)) for name, title in subjects if title.startswith(PREFIX)]
    names = [name for name, _ in commits]
    params = [_params(text) for text in _files(root, (f"{name}:./params.yaml" for name in names))]
    places = [(at, model) for at, found in enumerate(params) for model in _models(found)]
    metrics: list[dict[tuple[str, str, str], float]] = [{} for _ in names]
    texts = _files(root, (f"{names[at]}:./metrics/{model}.json" for at, model in places))
    for (at, model), text in zip(places, texts, strict=True):
        metrics[at] |= {(model, *key): value for key, value in _metrics(text).items()}
    return [
        Experiment(name, title, found, figures)
        for (name, title), found, figures in zip(commits, params, metrics, strict=True)
    ]


def changed_keys(found: Iterable[Experiment]) -> list[str]:
    """The parameters that aren't the same in all experiments, in the order of params.yaml."""
    found = list(found)
    keys = dict.fromkeys(key for at in found for key in at.params)
    return [key for key in keys if any(at.params.get(key) != found[0].params.get(key) for at in found)]


def _files(root: Path, names: Iterable[str]) -> list[bytes | None]:
    """The contents of ``revision:path`` objects, None for what isn't there; by one process for all."""
    asked = "".join(f"{name}\n" for name in names).encode()
    answer = git(root, "cat-file", "--batch", given=asked) if asked else b""
    contents: list[bytes | None] = []
    start = 0
    while start < len(answer):
        end = answer.index(b"\n", start)
        *_, kind, size = answer[start:end].split(b" ")
        start = end + 1
        if size.isdigit():
            contents.append(answer[start : start + int(size)] if kind == b"blob" else None)
            start += int(size) + 1
        else:  # missing
            contents.append(None)
    return contents


def git(root: Path, *words: str, given: bytes = b"") -> bytes:
    """What a git command prints; nothing where there is no git, or it fails."""
    try:
        return subprocess.run(["git", *words], cwd=root, input=given, capture_output=True).stdout
    except FileNotFoundError:
        return b""


def _params(text: bytes | None) -> dict[str, Any]:
    try:
        return flat(parse_mapping((text or b"").decode(), "params.yaml"))
    except (InputError, UnicodeDecodeError):
        return {}


def _models(params: dict[str, Any]) -> list[str]:
    keys = (key.split(".") for key in params if "\n" not in key)
    return list(dict.fromkeys(parts[1] for parts in keys if parts[0] == "train" and len(parts) > 2))


def _metrics(text: bytes | None) -> dict[tuple[str, str], float]:
    """The numbers of a metrics file, by split and name."""
    try:
        document = json.loads(text or b"{}")
    except ValueError:
        return {}
    splits = document.items() if isinstance(document, dict) else ()
    return {
        (split, name): float(value)
        for split, figures in splits
        if isinstance(figures, dict)
        for name, value in figures.items()
        if _is_number(value)
    }


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and isfinite(value)
    except OverflowError:
        return False
