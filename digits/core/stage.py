"""The frame of a stage's script: its arguments, its error lines, its exit status."""

import gc
import inspect
import io
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from digits.core.errors import InputError

#: Said where a stage fails: DVC has removed its outputs before it ran the stage.
RESTORE = "The outputs of the last good run are kept: dvc checkout brings them back"


def run(main: Callable[..., None]) -> NoReturn:
    """Call a stage's ``main`` with the words of the command line, and end the process.

    Errors that the user can fix (bad input, a full disk) end in one line each and exit status 1;
    anything else is a mistake in this project and keeps its traceback.
    """
    escape_unprintable()
    given = sys.argv[1:]
    wanted = [name for name in inspect.signature(main).parameters if name != "root"]
    try:
        if len(given) != len(wanted):
            raise InputError(
                "command line",
                found=f"{len(given)} arguments ({' '.join(given) or 'none'})",
                expected=", ".join(wanted) or "none",
                do="see the first line of the stage's script",
            )
        main(*given)
        gc.freeze()  # Python looks for garbage as it ends: a second for the objects of TensorFlow
    except (InputError, OSError) as error:
        lines = [f"error: {line}" for line in str(error).splitlines()]
        print(*lines, *_restore(), sep="\n", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", *_restore(), sep="\n", file=sys.stderr)
        sys.exit(130)
    sys.exit()


def _restore() -> list[str]:
    return [RESTORE] if "DVC_STAGE" in os.environ else []  # else somebody runs the script by hand


def escape_unprintable() -> None:
    """Let both streams escape what they can't encode, as in a C locale: it is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
