"""Read the JSON files of a finished run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from digits.core.errors import InputError
from digits.core.yaml_files import refuse_conflict

T = TypeVar("T")


def read_json(root: Path, name: str, convert: Callable[[Any], T]) -> T:
    """Return what ``convert`` makes of the content of a file, which errors call ``name``.

    Raises:
        InputError: the file is missing or damaged, or a merge left conflicts in it.
    """
    try:
        content = (root / name).read_bytes()
    except FileNotFoundError:
        raise InputError(name, found="no such file", expected="a finished run's", do="make run") from None
    try:
        return convert(json.loads(content))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        refuse_conflict(content.decode(errors="replace"), name)
        found, do = f"a damaged file ({error})", f"dvc repro, or git restore {name}"
        raise InputError(name, found=found, expected="a finished run's", do=do) from None
