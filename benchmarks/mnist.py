"""Where real MNIST lies: ../shared/mnist, or the folder that DIGITS_MNIST names."""

import os
from pathlib import Path

MNIST = Path(os.environ.get("DIGITS_MNIST", Path(__file__).parents[2] / "shared/mnist")).resolve()
