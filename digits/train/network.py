"""Build a dense network from its recipe."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.core.params import Recipe
from digits.core.snapshots import OUTPUT_LAYER
from digits.train.backend import keras


def build(recipe: Recipe, *, height: int, width: int, pixel_maximum: int, classes: int) -> "keras.Model":
    """Return an untrained network that takes images with the data's own pixel values and returns logits.

    Scaling and flattening are its first layers, so that whoever loads it can't do them wrongly.
    Without hidden units it is multinomial logistic regression, and starts at zero, as TensorFlow's
    LinearClassifier does; hidden layers start at Glorot and Bengio's (2010) uniform weights. Batch
    normalization (Ioffe and Szegedy 2015) stands between a hidden layer and its ReLU.
    """

    def seed(layer: int, use: int) -> int:
        """Return a seed for the weights (use 0) or the dropout (use 1) of hidden layer 1, 2, …

        Layer 0 stands for the output layer's weights and the input's dropout.
        """
        return int(np.random.SeedSequence([recipe.seed, layer, use]).generate_state(1)[0])

    regularizer = keras.regularizers.L1L2(recipe.l1, recipe.l2) if recipe.l1 or recipe.l2 else None
    dense = partial(keras.layers.Dense, kernel_regularizer=regularizer)
    layers = [
        keras.Input((height, width), name="images"),
        keras.layers.Rescaling(1 / pixel_maximum, name="scale"),
        keras.layers.Flatten(name="flatten"),
    ]
    if recipe.input_dropout:
        layers.append(keras.layers.Dropout(recipe.input_dropout, seed=seed(0, 1), name="input_dropout"))
    for number, units in enumerate(recipe.hidden_units, start=1):
        start = keras.initializers.GlorotUniform(seed(number, 0))
        activation = None if recipe.normalization else "relu"
        layers.append(dense(units, activation=activation, kernel_initializer=start, name=f"hidden_{number}"))
        if recipe.normalization:
            layers.append(keras.layers.BatchNormalization(momentum=0.95, name=f"normalize_{number}"))
            layers.append(keras.layers.ReLU(name=f"relu_{number}"))
        if recipe.dropout:
            dropout_seed = seed(number, 1)
            layers.append(keras.layers.Dropout(recipe.dropout, seed=dropout_seed, name=f"dropout_{number}"))
    start = keras.initializers.GlorotUniform(seed(0, 0)) if recipe.hidden_units else "zeros"
    layers.append(dense(classes, kernel_initializer=start, name=OUTPUT_LAYER))
    return keras.Sequential(layers, name="classifier")


def first_layer(model: Any) -> Any:
    """The first layer that learns."""
    return next(layer for layer in model.layers if layer.trainable_variables)


def normalization(layer: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return factor and offset of each unit: a trained batch normalization is input × factor + offset."""
    gamma, beta, mean, variance = (
        variable.numpy() for variable in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    factor = gamma / np.sqrt(variance + np.float32(layer.epsilon))
    return factor, beta - mean * factor
