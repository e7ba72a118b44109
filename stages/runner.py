"""Run a stage from the command line."""

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
    except (InputError, OSError) as error:
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))
    except KeyboardInterrupt:
        sys.exit(130)
    # The process ends with all its files closed: taking apart what TensorFlow and Matplotlib made,
    # object by object, would only take time.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
