"""Run a stage from the command line."""

import atexit
import contextlib
import gc
import inspect
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from digits.errors import InputError


def run(main: Callable[..., None]) -> NoReturn:
    """Call a stage's ``main`` with the words of the command line.

    What a person can mend (bad input, a full disk) ends in one line and exit status 1; whatever
    else goes wrong is a mistake in this project and keeps its traceback.
    """
    gc.freeze()  # what was imported stays: looking through it for garbage takes time
    given = sys.argv[1:]
    wanted = [name for name in inspect.signature(main).parameters if name != "root"]
    try:
        if len(given) != len(wanted):
            raise InputError(
                "command line",
                found=f"{len(given)} arguments ({' '.join(given) or 'none'})",
                expected=", ".join(wanted) or "none",
                do="see the stage's first line",
            )
        main(*given)
        if sys.stdout:  # there is none where a shell has closed it
            sys.stdout.flush()
    except (InputError, OSError) as error:
        _end("\n".join(f"error: {line}" for line in str(error).splitlines()), 1)
    except KeyboardInterrupt:
        _end("", 130)
    _end("", 0)


def _end(message: str, status: int) -> NoReturn:
    """End the process without taking apart, object by object, what TensorFlow and Matplotlib made."""
    for stream, last in ((sys.stdout, ""), (sys.stderr, f"{message}\n" if message else "")):
        if stream:
            with contextlib.suppress(OSError):  # nobody listens any more
                stream.write(last)
                stream.flush()
    atexit._run_exitfuncs()  # which remove temporary files
    os._exit(status)
