"""Libraries that are installed, hidden from others that work as well without them, and start sooner."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """While the block runs, importing one of these fails, unless it was imported before."""
    names = tuple(name for name in names if name not in sys.modules)
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None is how one says no
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
