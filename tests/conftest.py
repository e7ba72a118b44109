import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

#: Real MNIST, for the tests marked with its name.
MNIST = Path(os.environ.get("DIGITS_MNIST", REPOSITORY.parent / "shared/mnist"))


@pytest.fixture(scope="session", autouse=True)
def _sigint_as_in_a_terminal() -> Iterator[None]:
    """Restore the default SIGINT handler.

    A shell that starts pytest with ``&`` makes it ignore SIGINT; the tests' processes would inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder with real MNIST, in both formats."""
    if not (MNIST / "mnist_test.csv").is_file():
        pytest.skip(f"no MNIST at {MNIST}; DIGITS_MNIST can name a folder that has it")
    return MNIST


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the repository's settings and nothing else: a stage's ``root``."""
    monkeypatch.delenv("DIGITS_MIRROR", raising=False)
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    own = shutil.ignore_patterns("mine")  # the name that docs/own-data.md gives a source of one's own
    shutil.copytree(REPOSITORY / "data/sources", tmp_path / "data/sources", ignore=own)
    return tmp_path
