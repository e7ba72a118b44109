"""The dnn of recipe quick in plain Keras, without its elastic part: python keras_augmented.py TRAIN.npz STEPS

Keras' own layers distort the images in tf.data, as in Keras' guide to data augmentation.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


def main(train: Path, steps: int) -> None:
    archive = np.load(train)
    images, labels = archive["images"][..., None] / np.float32(255), archive["labels"]
    distort = keras.Sequential(
        [
            keras.layers.RandomRotation(12 / 360, fill_mode="constant"),
            keras.layers.RandomTranslation(1.5 / 28, 1.5 / 28, fill_mode="constant"),
            keras.layers.RandomZoom(0.15, 0.15, fill_mode="constant"),
            keras.layers.RandomShear(0.2, 0.0, fill_mode="constant"),
        ]
    )
    data = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images)).repeat().batch(100)
    data = data.map(lambda x, y: (distort(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
    hidden = [
        layer
        for _ in range(2)
        for layer in (
            keras.layers.Dense(512, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.3),
        )
    ]
    flat = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dropout(0.1)]
    model = keras.Sequential([*flat, *hidden, keras.layers.Dense(10)])
    rate = keras.optimizers.schedules.CosineDecay(0.002, steps)
    adamw = keras.optimizers.AdamW(rate, weight_decay=0.05, use_ema=True, ema_momentum=0.999)
    model.compile(adamw, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(data.prefetch(tf.data.AUTOTUNE), steps_per_epoch=steps // 10, epochs=10)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
