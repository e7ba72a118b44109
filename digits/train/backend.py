"""TensorFlow and Keras, imported as this project needs them: lean, quiet, the same every time.

Import both from here. What must be settled before TensorFlow starts is settled while this module
is imported, since TensorFlow reads it just once.
"""

import os

from digits.core.lean import import_without

# Keras and TensorFlow import these if installed but don't need them. Hiding them saves a third of the time.
_OPTIONAL = ("IPython", "PIL", "matplotlib", "pandas", "scipy", "sklearn")

# The user's own settings could change the output, so they are removed, except those of TensorFlow's log.
for name in [*os.environ]:
    if name.startswith(("KERAS_", "TF_")) and not name.startswith("TF_CPP_"):
        del os.environ[name]
os.environ["KERAS_HOME"] = os.devnull  # no keras.json: it may set another precision
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# oneDNN picks kernels by the CPU at hand, and with them the order in which numbers are added up.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["KERAS_BACKEND"] = "tensorflow"
# The networks are small, and the same bytes must come out on one machine with and without a GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

with import_without(*_OPTIONAL):
    # TensorFlow imports Keras when it is first asked for.
    import keras
    import tensorflow as tf

# One thread: two trainings side by side don't fight over the cores, sums are added up in one
# order however many cores there are, and at this size more threads are no faster.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

__all__ = ["keras", "tf"]
