"""Tell whether the results in the workspace were made by the parameters and the code in it."""

import hashlib
import sys
from pathlib import Path
from typing import Any

from digits.cli.flattening import flat, recorded_hashes, recorded_params
from digits.core.errors import InputError
from digits.core.yaml_files import read_mapping

FIX = "run `dvc repro`; or if a `git checkout` changed them, `dvc checkout`"
#: The advice where results are missing.
MAKE_RUN = "Run `make run`, or wait for the run that is at work"
#: The largest number of changes that a warning names; of more it gives the number.
NAMED = 4


def outdated(root: Path) -> str:
    """Return a sentence that names what changed after the results were made; empty if nothing did.

    It asks ``dvc status``, which takes half a second. Missing files are no change.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.scm import SCMError

    try:
        with Repo(str(root)) as repo:
            status = repo.status()
    except LockError:
        return "DVC is running: until it ends, the results shown may come from two runs"
    except (NotDvcRepoError, SCMError):
        return ""  # results that were copied without their repository
    names = list(dict.fromkeys("/".join(name.split("/")[:2]) for name in _changed(status)))
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"these results were made before {', '.join(names[:NAMED])}{more} changed; {FIX}"


def _changed(status: dict[str, list[Any]]) -> list[str]:
    """Return the parameters and paths that ``dvc status`` says were modified, each stage's in turn."""
    found = []
    for entries in status.values():
        for entry in entries:
            for path, change in entry.popitem()[1].items() if isinstance(entry, dict) else ():
                if isinstance(change, dict):
                    found += [f"{path} ({', '.join(change)})"]
                elif change in ("modified", "new"):
                    found.append(path)
    return found


def outdated_model(model: str, root: Path) -> str:
    """Return a sentence if the model's file doesn't fit params.yaml or dvc.lock, else an empty one."""
    path = f"models/{model}/model.tflite"
    try:
        lock = read_mapping(root / "dvc.lock")
        params = flat(read_mapping(root / "params.yaml"))
    except InputError:
        return ""  # a model that was copied without its pipeline
    recorded = recorded_params(lock)
    if any(
        params.get(key) != recorded.get(key) for key in params | recorded if key.startswith(f"train.{model}.")
    ):
        return f"{path} was trained with other parameters than params.yaml has; run `dvc repro`"
    md5 = hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest()
    if recorded_hashes(lock, "deps").get(path, md5) != md5:
        return f"{path} is not the one that was evaluated; {FIX}"
    return ""


def check_state(root: Path, option: str = "") -> None:
    """Warn if parameters, code or data changed after the results were made.

    If ``option`` is given, it needs results that are up to date: raise an InputError that names it.
    """
    found = outdated(root)
    if found and option:
        raise InputError(option, found, "Then try again")
    warn(found)


def warn(sentence: str) -> None:
    """Print a warning on stderr; nothing if the sentence is empty."""
    if sentence:
        print(f"warning: {sentence}", file=sys.stderr)
