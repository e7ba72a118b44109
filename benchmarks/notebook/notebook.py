# mypy: ignore-errors
"""The course's trainings and figures with Estimators: python -m benchmarks.notebook.notebook FOLDER

Task 1 and task 2 of the exercise with the numbers of its solutions, in the order of its cells and on
the API that it was written for, as far as TensorFlow 2.15 still has it. Figures go into FOLDER. Runs
in an environment of its own (README.md beside this file).
"""

import sys
import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib import pyplot as plt
from sklearn import metrics

from benchmarks.mnist import MNIST

SEED = 0
ROWS, TRAINING_ROWS = 10_000, 7_500
SIDE, CLASSES = 28, 10
PERIODS = 10
CLIP_NORM = 5.0


class ClippedAdagrad(tf.compat.v1.train.AdagradOptimizer):
    """Adagrad that clips the gradient of each variable; its accumulators start at 0.1."""

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        clipped = [(tf.clip_by_norm(gradient, CLIP_NORM), at) for gradient, at in grads_and_vars]
        return super().apply_gradients(clipped, global_step, name)


def main(folder: Path) -> None:
    start = time.perf_counter()
    mpl.use("Agg")
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    np.random.seed(SEED)

    table = read(MNIST / "mnist_train_small.csv").head(ROWS)
    table = table.iloc[np.random.permutation(len(table))]
    labels, features = labels_and_features(table)
    print(features.loc[:, 72:72].T)
    training = labels[:TRAINING_ROWS], features[:TRAINING_ROWS]
    validation = labels[TRAINING_ROWS:], features[TRAINING_ROWS:]
    for part in (*training, *validation):
        print(part.describe())
    draw_example(*training, np.random.randint(TRAINING_ROWS), folder)
    test = labels_and_features(read(MNIST / "mnist_test.csv"))

    pixels = [tf.feature_column.numeric_column("pixels", shape=SIDE * SIDE)]
    with tempfile.TemporaryDirectory() as checkpoints:
        linear = tf.compat.v1.estimator.LinearClassifier(
            pixels,
            model_dir=f"{checkpoints}/linear",
            n_classes=CLASSES,
            optimizer=ClippedAdagrad(0.03),
            config=tf.estimator.RunConfig(tf_random_seed=SEED, keep_checkpoint_max=1),
        )
        run("linear", linear, training, validation, test, folder, steps=1_000, batch_size=30)

        dnn = tf.compat.v1.estimator.DNNClassifier(
            [100, 100],
            pixels,
            model_dir=f"{checkpoints}/dnn",
            n_classes=CLASSES,
            optimizer=ClippedAdagrad(0.05),
            config=tf.estimator.RunConfig(tf_random_seed=SEED, keep_checkpoint_max=1),
        )
        run("dnn", dnn, training, validation, test, folder, steps=1_000, batch_size=30)

        for name in dnn.get_variable_names():
            print(name, dnn.get_variable_value(name).shape)
        draw_weights(dnn.get_variable_value("dnn/hiddenlayer_0/kernel"), folder)
    print(f"{time.perf_counter() - start:.0f} s in all")


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, header=None)


def labels_and_features(table: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Column 0, and the pixels scaled to 0–1."""
    return table[0], table.loc[:, 1:] / 255


def run(name, classifier, training, validation, test, folder, *, steps, batch_size) -> None:
    """Train in periods, each followed by predictions for all of both splits; then evaluate and draw."""
    losses = []
    for period in range(PERIODS):
        classifier.train(training_input(*training, batch_size), steps=steps // PERIODS)
        losses.append(
            [loss_of_predicted_classes(classifier, *part, batch_size) for part in (training, validation)]
        )
        print(
            f"{name}, period {period}: log loss of predicted classes, training and validation:", *losses[-1]
        )
    draw_losses(name, losses, folder)

    for split, (labels, features) in (("validation", validation), ("test", test)):
        probabilities = predict(classifier, labels, features, batch_size)
        predicted = probabilities.argmax(axis=1)
        print(
            f"{name}, {split}: accuracy {metrics.accuracy_score(labels, predicted):.4f},"
            f" log loss {metrics.log_loss(labels, probabilities):.4f},"
            f" log loss of predicted classes {metrics.log_loss(labels, np.eye(CLASSES)[predicted]):.4f}",
            flush=True,
        )
        if split == "validation":
            draw_confusion(name, labels, predicted, folder)


def training_input(labels, features, batch_size):
    """Batches of the rows in a new random order, without an end."""

    def batches():
        order = np.random.permutation(len(labels))
        return dataset(labels.iloc[order], features.iloc[order], batch_size).repeat()

    return batches


def predict(classifier, labels, features, batch_size):
    """Probabilities ``[n, classes]``."""
    answers = classifier.predict(lambda: dataset(labels, features, batch_size))
    return np.array([answer["probabilities"] for answer in answers])


def dataset(labels, features, batch_size):
    return tf.data.Dataset.from_tensor_slices(({"pixels": features.to_numpy()}, labels.to_numpy())).batch(
        batch_size
    )


def loss_of_predicted_classes(classifier, labels, features, batch_size) -> float:
    predicted = predict(classifier, labels, features, batch_size).argmax(axis=1)
    return metrics.log_loss(labels, np.eye(CLASSES)[predicted])


def draw_example(labels, features, row, folder) -> None:
    plt.matshow(features.iloc[row].to_numpy().reshape(SIDE, SIDE))
    plt.title(f"Label: {labels.iloc[row]}")
    save(folder / "example.png")


def draw_losses(name, losses, folder) -> None:
    plt.figure()
    plt.plot(losses, label=["training", "validation"])
    plt.xlabel("Periods")
    plt.ylabel("Log loss of predicted classes")
    plt.legend()
    save(folder / f"{name}_loss.png")


def draw_confusion(name, labels, predicted, folder) -> None:
    metrics.ConfusionMatrixDisplay.from_predictions(labels, predicted, normalize="true", include_values=False)
    save(folder / f"{name}_confusion.png")


def draw_weights(weights, folder) -> None:
    """Each unit's weights as a picture, ten in a row."""
    columns = 10
    rows = -(-weights.shape[1] // columns)
    _, axes = plt.subplots(rows, columns, figsize=(2 * columns, 2 * rows))
    for unit, at in zip(weights.T, axes.flat, strict=True):
        at.matshow(unit.reshape(SIDE, SIDE), cmap="plasma")
        at.set_axis_off()
    save(folder / "dnn_weights.png")


def save(path: Path) -> None:
    plt.savefig(path)
    plt.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
